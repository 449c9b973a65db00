import { userInfo } from "node:os"
import { afterEach, describe, expect, it, vi } from "vitest"
import { home } from "../../src/Remote/Home.js"

afterEach(() => {
  vi.unstubAllEnvs()
})

describe("the home directory", () => {
  it("is what HOME says", () => {
    vi.stubEnv("HOME", "/srv/someone")
    expect(home()).toBe("/srv/someone")
  })

  for (const named of ["", ".", "home/of/someone", undefined])
    it(`is what the user database says where HOME is ${JSON.stringify(named)}`, () => {
      vi.stubEnv("HOME", named)
      expect(home()).toBe(userInfo().homedir)
    })
})
