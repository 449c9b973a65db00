import type { Alert } from "@context-engine/core/services/Alerts"
import { describe, expect, it } from "vitest"
import { alerts } from "../../src/render/alerts.js"

const next = "context infra sync heal on the other machines first: one that knows more of it may mend it"
const alert = (message: string, then = next): Alert => ({ kind: "sync", severity: "error", subject: "the shared log", message, since: null, next: then }) // biome-ignore format: one line

describe("what is wrong", () => {
  it("is told with long advice in full once", () => {
    const text = alerts([alert("it is damaged"), alert("and more of it is")], { columns: 200, colour: false, now: 0 })
    expect(text.split(next).length - 1).toBe(1)
    expect(text).toContain("the same as above leads on")
  })

  it("is told without what the message says itself, and with what is short each time", () => {
    const screen = { columns: 200, colour: false, now: 0 }
    expect(alerts([alert(`damaged: ${next}`)], screen).split(next).length - 1).toBe(1)
    const short = "context infra sync now"
    expect(alerts([alert("one", short), alert("other", short)], screen).split(short).length - 1).toBe(2)
  })
})
