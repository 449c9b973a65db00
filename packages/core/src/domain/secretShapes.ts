/** Recognises text that is probably a secret, by the published shapes of well-known credentials. */

const shapes: ReadonlyArray<readonly [name: string, pattern: RegExp]> = [
  ["a private key", /-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----/],
  ["an AWS access key", /\b(?:AKIA|ASIA)[0-9A-Z]{16}\b/],
  ["a GitHub token", /\b(?:gh[pousr]_[A-Za-z0-9]{30,}|github_pat_[A-Za-z0-9_]{40,})/],
  ["a GitLab token", /\bglpat-[A-Za-z0-9_-]{18,}/],
  ["an API key", /\b(?:sk|pk|rk)[_-](?:live|test|ant|proj)[_-][A-Za-z0-9_-]{10,}/],
  ["an API key", /\bsk-[A-Za-z0-9]{32,}/],
  ["a Slack token", /\bxox[abprs]-[A-Za-z0-9-]{10,}/],
  ["a Google API key", /\bAIza[A-Za-z0-9_-]{35}/],
  ["a Telegram bot token", /\b\d{8,10}:AA[A-Za-z0-9_-]{32,}/],
  ["a Vault token", /\bhvs\.[A-Za-z0-9_-]{20,}/],
  ["an npm token", /\bnpm_[A-Za-z0-9]{36}/],
  ["a JSON web token", /\beyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]+/],
  ["a URL with a password", /\b[a-z][a-z0-9+.-]*:\/\/[^\s/:@]*:[^\s/:@${]+@/i],
  ["an assigned password", /\b[\w-]*(?:password|passwd|secret|token|api_?key)\s*=\s*(?!["']?[$<{])["']?[^\s"'$]{6,}/i],
]

/** What kind of secret a text seems to hold, or `undefined`. A variable such as `$TOKEN` is a name, not a value. */
export const secretShape = (text: string): string | undefined => shapes.find(([, pattern]) => pattern.test(text))?.[0]

/** Whether a word is as dense as a random key: for fields that have no business holding one at all. */
export const looksRandom = (word: string): boolean => {
  if (word.length < 20 || /[\s/]/.test(word)) return false
  const kinds = [/[a-z]/, /[A-Z]/, /\d/].filter((kind) => kind.test(word)).length
  return /^[0-9a-f]{32,}$/i.test(word) || (kinds === 3 && entropy(word) > 3.8)
}

/** The text with everything that looks like a secret blotted out. */
export const redact = (text: string): string =>
  shapes.reduce(
    (rest, [name, pattern]) => rest.replace(new RegExp(pattern, `${pattern.flags}g`), `[${name} removed]`),
    text,
  )

const secretOption = /^--?[\w-]*(?:password|passwd|secret|token|api-?key)$/i

/** The arguments of a command without secrets: by their shapes, and what stands after an option that asks for one. */
export const redactArgv = (argv: ReadonlyArray<string>): ReadonlyArray<string> =>
  argv.map((word, index) => (secretOption.test(argv[index - 1] ?? "") ? "[removed]" : redact(word)))

const entropy = (word: string): number => {
  const counts = new Map<string, number>()
  for (const char of word) counts.set(char, (counts.get(char) ?? 0) + 1)
  return [...counts.values()].reduce((sum, n) => sum - (n / word.length) * Math.log2(n / word.length), 0)
}
