/** Turns a command into text for a shell: checks its values, then quotes each of them. */
import * as Effect from "effect/Effect"
import { RemoteError } from "../Errors.js"
import type { RemoteCommand } from "../Remote.js"
import { isVariableName, quote } from "../Shell.js"

/** Fails with `refused` when a value cannot be passed on as it is: NUL anywhere, or a name that no variable can have. */
export const check = (host: string, command: RemoteCommand): Effect.Effect<void, RemoteError> => {
  const problem = problemOf(command)
  return problem === undefined
    ? Effect.void
    : Effect.fail(new RemoteError({ reason: "refused", host, message: `${host}: the command was not run: ${problem}` }))
}

/**
 * POSIX shell text that runs the command: change the directory, set the environment, replace itself by `/bin/sh -c`.
 * `cd` and `sh` complain on stderr and give the status, as they would in a terminal.
 */
export const posixLine = (command: RemoteCommand): string => {
  const assignments = Object.entries(command.env ?? {}).map(([name, value]) => `${name}=${quote(value)}`)
  const words = [
    "exec",
    // `env` sets names that are read-only in some shells, too.
    ...(assignments.length > 0 ? ["env", ...assignments] : []),
    "/bin/sh -c",
    quote(command.script),
    "sh",
    ...(command.args ?? []).map(quote),
    // Not a closed channel: an SSH channel whose input has ended takes no signals from ssh2 any more.
    ...(command.input === undefined ? ["</dev/null"] : []),
  ]
  return `${command.cwd === undefined ? "" : `${changeDirectory(command.cwd)} && `}${words.join(" ")}`
}

/**
 * The same as one line that any login shell reads alike: POSIX shells, fish and the csh family. Their quoting differs in
 * backslashes, newlines and `!`, so these travel as octal escapes, and the backslashes stand outside the quotes.
 * Before the command begins, its process says `<token> <process id>` on a line of stdout. `token` is a plain word.
 */
export const loginLine = (command: RemoteCommand, token: string): string =>
  `exec /bin/sh -c 'echo "$1 $$"; eval "$(printf %b "$2")"' sh ${token} '${escape(posixLine(command)).replaceAll("\\", "'\\\\'")}'`

/** One line that sends a signal to a process group, or to the process if it leads no group. */
export const killLine = (pid: number, signal: "TERM" | "KILL"): string =>
  `exec /bin/sh -c 'kill -${signal} "-$1" 2>/dev/null || kill -${signal} "$1"' sh ${pid}`

const escape = (text: string): string =>
  text.replaceAll(/[\\'!\n\r]/g, (char) => `\\0${char.charCodeAt(0).toString(8).padStart(3, "0")}`)

const changeDirectory = (cwd: string): string => {
  if (cwd === "~") return 'cd -- "$HOME"'
  if (cwd.startsWith("~/")) return `cd -- "$HOME"/${quote(cwd.slice(2))}`
  // `cd -` means the previous directory, and CDPATH would lead elsewhere.
  return `CDPATH='' cd -- ${quote(cwd === "-" ? "./-" : cwd)}`
}

const problemOf = ({ script, args = [], env = {}, cwd = "" }: RemoteCommand): string | undefined => {
  const badName = Object.keys(env).find((name) => !isVariableName(name))
  if (badName !== undefined) {
    return `${JSON.stringify(badName)} cannot be the name of an environment variable (use letters, digits and _)`
  }
  const values: ReadonlyArray<readonly [string, string]> = [
    ["the script", script],
    ["the directory", cwd],
    ...args.map((arg, index) => [`argument ${index + 1}`, arg] as const),
    ...Object.entries(env).map(([name, value]) => [`the value of ${name}`, value] as const),
  ]
  const nul = values.find(([, value]) => value.includes("\0"))
  return nul === undefined ? undefined : `${nul[0]} contains a NUL byte, which no argument can hold`
}
