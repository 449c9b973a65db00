/** Text that came from elsewhere, made fit for a message. */

const longest = 200

/** One line without control, bidirectional or other invisible characters, and not too long. */
export const clean = (text: string): string => {
  const line = text.replaceAll(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]+/gu, " ").trim()
  return line.length > longest ? `${line.slice(0, longest)}…` : line
}
