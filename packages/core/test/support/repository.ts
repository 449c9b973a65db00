/** Real git repositories in throw-away directories. */
import { execFileSync } from "node:child_process"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"

const git = (directory: string, ...args: ReadonlyArray<string>): string =>
  execFileSync("git", ["-C", directory, "-c", "user.name=test", "-c", "user.email=test@localhost", ...args], {
    encoding: "utf8",
    stdio: ["ignore", "pipe", "ignore"],
  }).trim()

/** A bare origin and a clone of it, as a deploy finds them; the clone at a path of one's own, if one is given. */
export const makeRepository = (at?: string) => {
  const directory = mkdtempSync(join(tmpdir(), "context-git-"))
  process.once("exit", () => rmSync(directory, { recursive: true, force: true }))
  const [origin, work] = ["origin.git", "work"].map((name) => join(directory, name)) as [string, string]
  const project = at ?? join(directory, "project")
  git(directory, "init", "--quiet", "--bare", "--initial-branch=main", origin)
  git(directory, "init", "--quiet", "--initial-branch=main", work)
  git(work, "remote", "add", "origin", origin)
  /** Commits and pushes some files; gives the commit. */
  const commit = (files: Readonly<Record<string, string>>): string => {
    for (const [name, content] of Object.entries(files)) writeFileSync(join(work, name), content)
    git(work, "add", "--all")
    git(work, "commit", "--quiet", "--allow-empty", "--message", Object.keys(files).join(" "))
    git(work, "push", "--quiet", "origin", "main")
    return git(work, "rev-parse", "HEAD")
  }
  return {
    directory,
    project,
    commit,
    clone: () => git(directory, "clone", "--quiet", origin, project),
    /** What is checked out where it is deployed, and on which branch (empty when detached). */
    head: () => git(project, "rev-parse", "HEAD"),
    branch: () => git(project, "branch", "--show-current"),
  }
}
