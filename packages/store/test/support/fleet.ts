/** Machines of one log, whose server can be put back to what it was. The first is the root, the others are members. */
import { make } from "../../src/sync/RemoteLog.js"
import { freshPath } from "./files.js"
import { beginLog, type Machine, machine, sync } from "./machines.js"
import { makeSequencer } from "./sequencer.js"

type Fleet<Name extends string> = Record<Name, Machine>

export const fleet = async <Name extends string>(...names: ReadonlyArray<Name>) => {
  let sequencer = makeSequencer()
  const remote = make("memory", (statements, mode) => sequencer.batch(statements, mode))
  const all = names.map((name) => machine(name, remote))
  const [root, ...others] = all as [Machine, ...Array<Machine>]
  const rootId = await beginLog(root, ...others)
  for (const one of all) await sync(one)
  /** Keeps the server as it is now; what it gives back puts it there again. */
  const save = () => {
    const copy = freshPath()
    sequencer.connection.exec(`VACUUM INTO '${copy}'`)
    return () => {
      sequencer = makeSequencer(copy)
    }
  }
  const byName = Object.fromEntries(all.map((one) => [one.name, one])) as Fleet<Name>
  return { ...byName, remote, save, rootId, there: () => sequencer.connection }
}
