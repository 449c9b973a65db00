/** How a wanted version reaches a deploy command. Pure. */
import * as Either from "effect/Either"
import { InvalidInput } from "../../Errors.js"
import { quote } from "../../Shell.js"

/** A git sha, tag, branch or semantic version: nothing that a shell or git could take for something else. */
export const checkVersion = (version: string): Either.Either<string, InvalidInput> =>
  /^[A-Za-z0-9][A-Za-z0-9._/+-]{0,199}$/.test(version) && !version.includes("..")
    ? Either.right(version)
    : Either.left(
        new InvalidInput({
          field: "version",
          reason: `${JSON.stringify(version.slice(0, 60))} is not a version: say a git sha, a tag or a number such as 1.4.2`,
        }),
      )

/** Whether the command's own text says where the version goes. */
export const mentionsVersion = (command: string): boolean =>
  command.includes("{{version}}") || /\bCONTEXT_VERSION\b/.test(command) || pulls(command)

/** Whether a command brings what is newest at the origin. */
export const pulls = (command: string): boolean => /\bgit\s+pull\b/.test(command)

/**
 * The script that deploys. `{{version}}` becomes the quoted version. A command that only says `git pull` would always bring
 * the newest commit, so with a version its `git pull` fetches and checks out that commit instead; without one, it returns
 * to the branch that the last such checkout left. The commit travels in `CONTEXT_VERSION`.
 */
export const deployScript = (command: string, version: string | undefined): string => {
  const filled = command.replaceAll("{{version}}", () => quote(version ?? ""))
  if (!pulls(command) || command.includes("{{version}}") || /\bCONTEXT_VERSION\b/.test(command)) return filled
  return `${version === undefined ? returnToBranch : checkOutVersion}${filled}`
}

const checkOutVersion = `git() {
  if [ "$1" = pull ]; then
    branch=$(command git symbolic-ref --quiet --short HEAD) && command git config context.branch "$branch"
    command git fetch --quiet --tags --force origin && command git checkout --quiet --detach "$CONTEXT_VERSION"
  else
    command git "$@"
  fi
}
`

const returnToBranch = `git() {
  if [ "$1" = pull ] && ! command git symbolic-ref --quiet HEAD >/dev/null; then
    branch=$(command git config context.branch) && command git checkout --quiet "$branch"
  fi
  command git "$@"
}
`

/** Shell functions: the commit that a version names in the repository one is in, and fetching what it may need for that. */
export const findCommit = `
find_commit() { git rev-parse --verify --quiet "$1^{commit}" || git rev-parse --verify --quiet "origin/$1^{commit}"; }
fetch_all() { git fetch --quiet --tags --force origin >/dev/null 2>&1; }
`
