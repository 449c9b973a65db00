import { describe, expect, it } from "vitest"
import { sort } from "../src/argv.js"
import { flag, many, short, text } from "../src/options.js"
import { parseSsh } from "../src/ssh.js"

describe("sort", () => {
  const known = [flag("json", ""), text("notes", "text", ""), many("tag", "tag", "")]
  const sorted = (...argv: ReadonlyArray<string>) => {
    const found = sort(argv, known)
    return "problem" in found ? found.problem : { words: found.words, options: Object.fromEntries(found.options) }
  }

  it("finds options on either side of words", () => {
    expect(sorted("a", "--notes", "n", "b", "--json")).toEqual({
      words: ["a", "b"],
      options: { "--notes": ["--notes", "n"], "--json": ["--json"] },
    })
  })

  it("takes values with =, of several lines, that look like options or are empty", () => {
    expect(sorted("--notes=--json")).toMatchObject({ options: { "--notes": ["--notes", "--json"] } })
    expect(sorted("--notes=a\nb=c")).toMatchObject({ options: { "--notes": ["--notes", "a\nb=c"] } })
    expect(sorted("--notes", "-1")).toMatchObject({ options: { "--notes": ["--notes", "-1"] } })
    expect(sorted("--notes", "")).toMatchObject({ options: { "--notes": ["--notes", ""] } })
  })

  it("takes an option by its short name, too, as the same one", () => {
    const message = [short("m", text("message", "text", ""))]
    expect(sort(["-m", "why"], message)).toMatchObject({ options: new Map([["--message", ["--message", "why"]]]) })
    expect(sort(["-m=why"], message)).toMatchObject({ options: new Map([["--message", ["--message", "why"]]]) })
    expect(sort(["-m", "a", "--message", "b"], message)).toEqual({ problem: "--message is given twice" })
    expect(sort(["--message", "-m"], message)).toEqual({ problem: "--message needs a value" })
  })

  it("leaves what follows -- alone", () => {
    expect(sorted("a", "--", "--json", "--", "-x")).toEqual({ words: ["a", "--json", "--", "-x"], options: {} })
  })

  it.each([
    [["--nots", "x"], "there is no option --nots"],
    [["-j"], "there is no option -j"],
    [["--notes"], "--notes needs a value"],
    [["--notes", "--json"], "--notes needs a value"],
    [["--notes", "a", "--notes", "b"], "--notes is given twice"],
    [["--json=yes"], "--json takes no value"],
  ])("%j", (argv, problem) => expect(sorted(...argv)).toBe(problem))
})

describe("parseSsh", () => {
  it("reads all settings, in any order", () => {
    expect(parseSsh("port=2222, user=deploy ,key=~/.ssh/id a,jump=me@bastion:22")).toEqual({
      user: "deploy",
      port: 2222,
      keyPath: "~/.ssh/id a",
      jumpHost: "me@bastion:22",
    })
  })

  it("an empty setting is taken away", () => expect(parseSsh("jump=")).toEqual({ jumpHost: null }))
})
