/** Puts a backup in the place of a log. What was there is moved aside, never deleted. */
import { copyFileSync, existsSync, mkdirSync, renameSync } from "node:fs"
import { dirname } from "node:path"
import { StorageError } from "@context-engine/core/Errors"
import * as Effect from "effect/Effect"
import { copyLogs, directoryOf } from "./FileDeployLogs.js"

/** Gives where the log that was there is now; `null` if there was none. Nobody may have it open. */
export const restore = (backup: string, path: string): Effect.Effect<string | null, StorageError> =>
  Effect.tap(place(backup, path), () => copyLogs(backup, path))

const place = (backup: string, path: string): Effect.Effect<string | null, StorageError> =>
  Effect.try({
    try: () => {
      mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
      const draft = `${path}.restoring`
      copyFileSync(backup, draft)
      const aside = existsSync(path) ? `${path}.before-${new Date().toISOString().replace(/[:.]/g, "-")}` : null
      // The write-ahead log belongs to the file it stands beside: it goes with it.
      for (const suffix of aside === null ? [] : ["", "-wal", "-shm"]) {
        if (existsSync(path + suffix)) renameSync(path + suffix, (aside as string) + suffix)
      }
      // So do the texts of its deployments.
      if (aside !== null && existsSync(directoryOf(path))) renameSync(directoryOf(path), directoryOf(aside))
      renameSync(draft, path)
      return aside
    },
    catch: (cause) =>
      new StorageError({
        reason: "unavailable",
        message: `the backup could not be put in place: ${(cause as Error).message}`,
        cause,
      }),
  })
