/** Settings of the environment, as they were meant: files of settings and secret stores leave quotes and line ends round a value. */

type Env = Readonly<Record<string, string | undefined>>

/** A value without the space round it, and without one pair of quotes that match. */
export const plain = (text: string): string => {
  const bare = text.trim()
  const quoted = bare.length > 1 && (bare.startsWith('"') || bare.startsWith("'")) && bare.at(0) === bare.at(-1)
  return quoted ? bare.slice(1, -1).trim() : bare
}

/** A setting; `undefined` where it is empty, too. */
export const setting = (env: Env, name: string): string | undefined => plain(env[name] ?? "") || undefined
