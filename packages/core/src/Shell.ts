/** POSIX shell quoting: the one place where a value becomes part of a command line. */

/** A word that any POSIX shell reads back as exactly this string. The caller refuses NUL, which no argument can hold. */
export const quote = (word: string): string => `'${word.replaceAll("'", `'\\''`)}'`

/** The same, as it is where it needs no quotes: for commands that people read. */
export const word = (text: string): string => (/^[A-Za-z0-9_@%+=:,./-]+$/.test(text) ? text : quote(text))

const assignable = /^[A-Za-z_][A-Za-z0-9_]*$/

/** Whether a string may be the name of an environment variable. */
export const isVariableName = (name: string): boolean => assignable.test(name)
