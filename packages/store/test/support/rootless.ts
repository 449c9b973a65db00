/** A shared log of before there were roots, and what whoever has its token puts into it. */
import { machinesStream, RootEstablished } from "@context-engine/core/domain/Machine"
import * as Effect from "effect/Effect"
import { insertRows } from "../../src/append.js"
import { loadSigner, type Signer } from "../../src/Signer.js"
import { make } from "../../src/sync/RemoteLog.js"
import { freshPath } from "./files.js"
import { draft, placed, signed, slipIn } from "./forger.js"
import { type Machine, machine } from "./machines.js"
import { oldRows } from "./oldLog.js"
import { makeSequencer } from "./sequencer.js"

/** Two machines wrote in it, or nobody signed it. */
export const rootlessWorld = async (isSigned: boolean) => {
  let sequencer = makeSequencer()
  const remote = make("memory", (statements, mode) => sequencer.batch(statements, mode))
  await Effect.runPromise(remote.create("11111111-1111-4111-8111-111111111111"))
  const paths = [freshPath(), freshPath()]
  const keys = paths.map((path, at) => ({ ...loadSigner(`${path}.key`), name: "ab"[at] as string }))
  const rows = oldRows(isSigned ? keys : [undefined, undefined], ["alpha", "beta"])
  insertRows(sequencer.connection, rows.map((row) => [...row, null, null]) as never)
  const [a, b] = paths.map((path, at) => machine("ab"[at] as string, remote, { path, signed: isSigned }))
  const save = () => {
    const copy = freshPath()
    sequencer.connection.exec(`VACUUM INTO '${copy}'`)
    return () => {
      sequencer = makeSequencer(copy)
    }
  }
  const empty = () => {
    sequencer = makeSequencer()
  }
  return { a: a as Machine, b: b as Machine, remote, save, empty, there: () => sequencer.connection }
}
export type RootlessWorld = Awaited<ReturnType<typeof rootlessWorld>>

/** A root of a stranger at the end of the shared log. */
export const forgeRoot = ({ there }: Pick<RootlessWorld, "there">, x: Signer, id?: string) => {
  const [position, hash] = there().prepare("SELECT position, hash FROM events ORDER BY position DESC LIMIT 1").get()
  const body = { machineId: x.id, name: x.name, publicKey: x.publicKey, cutoff: { position, hash }, machines: [], roots: [] } // biome-ignore format: one event
  const { schema, type } = RootEstablished
  const root = draft({ ...(id && { id }), stream: machinesStream, type, schema, body })
  slipIn(there(), placed(there(), signed([root], x, root.id)))
}
