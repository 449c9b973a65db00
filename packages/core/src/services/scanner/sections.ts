/** The sections of a scan's output, and how each of them ended. Pure; never throws. */
import { type SectionName, sectionNames } from "./host.js"

/**
 * How a tool answered. `absent`: it is not there. `failed`: it is there and did not say, for want of rights mostly.
 * `late`: it was still at it when its time was over. `cut`: it said more than is read.
 */
export type SectionStatus = "ok" | "absent" | "failed" | "late" | "cut"

export interface SectionText {
  readonly status: SectionStatus
  readonly text: string
}

const nothing: SectionText = { status: "failed", text: "" }

/** `mark` is the word that the script was given. A section that is not there counts as failed. */
export const sectionsOf = (output: string, mark: string): Readonly<Record<SectionName, SectionText>> => {
  const found: Record<string, SectionText> = Object.fromEntries(sectionNames.map((name) => [name, nothing]))
  for (const part of output.split(`\n${mark} begin `).slice(1)) {
    const line = part.indexOf("\n")
    const name = part.slice(0, line)
    if (line < 0 || found[name] !== nothing) continue
    const [body = "", tail] = part.slice(line + 1).split(`\n${mark} end `)
    found[name] = { status: statusOf(tail === undefined ? undefined : Number.parseInt(tail, 10), body), text: body }
  }
  return found as Record<SectionName, SectionText>
}

const statusOf = (code: number | undefined, text: string): SectionStatus => {
  if (code === undefined) return "cut"
  if (code === 137) return "late"
  if (code === 127) return "absent"
  return code === 0 || text.trim() !== "" ? "ok" : "failed"
}
