/** What a watcher of the shared log tells, a line each. */
import type { News } from "@context-engine/store/sync/watch"
import { safe, safeJson } from "./safe.js"
import { paint, type Screen } from "./text.js"
import { count, moment } from "./units.js"

/** One JSON document a line. */
export const asJson = (at: string, news: News): string => `${safeJson({ at, ...news })}\n`

/** A line for people, or two where there is something to do. */
export const asText = (screen: Screen, at: string, news: News): string => {
  const { next, text } = said(screen, news)
  return [`${paint(screen, "faint", moment(at))}  ${text}`, ...(next === undefined ? [] : [`  ${next}`]), ""].join("\n")
}

interface Said {
  readonly text: string
  readonly next?: string | undefined
}

const said = (screen: Screen, news: News): Said => {
  const bad = (text: string) => `${paint(screen, "bad", "✗")} ${safe(text)}`
  switch (news.what) {
    case "waiting":
      return { text: "another process of this machine keeps the logs together already; waiting for its turn" }
    case "watching":
      return { text: "keeping this log and the shared one together" }
    case "synced":
      return { text: synced(news) }
    case "rejected": {
      const { outcome, reason, what } = news.rejected
      if (outcome === "moot") return { text: safe(`nothing was left to do: ${what} (${reason})`) }
      return { text: bad(`${what}: ${reason}`), next: "context infra sync rejected" }
    }
    case "lost":
      return { text: `${paint(screen, "warn", "!")} ${safe(news.message)}` }
    case "trouble":
      return { text: bad(news.message), next: nextOf(news.reason) }
    case "back":
      return { text: `${paint(screen, "good", "✓")} the shared log is there again` }
  }
}

const synced = ({ moved, pulled, pushed }: Extract<News, { readonly what: "synced" }>): string =>
  [
    ...(pushed > 0 ? [`${count(pushed, "event")} pushed`] : []),
    ...(pulled > 0 ? [`${count(pulled, "event")} pulled`] : []),
    ...(moved > 0 ? [`${moved} put after them`] : []),
  ].join(", ")

/** What to do, where the message does not say it. */
const nextOf = (reason: string): string | undefined => {
  switch (reason) {
    case "unauthorised":
    case "read-only":
      return "with a new token: context infra sync connect <url>"
    case "foreign":
      return "context infra sync join, or sync connect <url> with the right address"
    default:
      return undefined
  }
}
