/** Opens a file that may be damaged, as a program of ours does, and says what came of it. */
import { EventLog } from "@context-engine/core/EventLog"
import { ReadModels } from "@context-engine/core/ReadModels"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { layer } from "../../src/layer.js"
import { single } from "./appends.js"
import { digestOf, integrityProblems, Verifier, withConnection } from "./verify.js"

export interface Inspection {
  /** How many events the log gave, and the hash of the last of them. */
  readonly events: number
  readonly hash: string
  /** The `StorageError` that named the damage, or "defect" for an error that names nothing. */
  readonly named?: string
  readonly message?: string
  /** What does not hold by the chain, the shape of appends, and the rows. */
  readonly problems: ReadonlyArray<string>
  /** What SQLite finds when it is asked. */
  readonly integrity: ReadonlyArray<string>
  readonly digest?: string
  readonly appended: boolean
  readonly milliseconds: number
}

/** Reads through our layer, verifies beside it, then appends one event and verifies that too. */
export const inspect = async (path: string): Promise<Inspection> => {
  const start = performance.now()
  let found: Omit<Inspection, "milliseconds"> = { events: 0, hash: "", problems: [], integrity: [], appended: false }
  const story = Effect.gen(function* () {
    const log = yield* EventLog
    const models = yield* ReadModels
    const { position } = yield* models.asOf
    const last = yield* Stream.runFold(log.readAll(), { events: 0, hash: "" }, ({ events }, { hash }) => ({
      events: events + 1,
      hash,
    }))
    for (const view of [models.servers, models.infraEvents]) yield* view.list()
    found = { ...found, ...last }
    if (position !== last.events) found = { ...found, problems: [`the head is ${position}, of ${last.events} events`] }
    found = { ...found, ...sound(path, found.problems) }
    yield* log.append(single())
    found = { ...found, appended: true }
    const { integrity, problems } = sound(path, [])
    if (found.problems.length === 0) found = { ...found, problems }
    if (found.integrity.length === 0) found = { ...found, integrity }
  })
  const exit = await Effect.runPromiseExit(Effect.provide(story, layer(path)))
  if (exit._tag === "Failure") {
    const error = exit.cause._tag === "Fail" ? (exit.cause.error as { reason?: string; message: string }) : undefined
    found = { ...found, named: error?.reason ?? "defect", message: error?.message ?? String(exit.cause) }
  }
  return { ...found, milliseconds: performance.now() - start }
}

const sound = (path: string, known: ReadonlyArray<string>) =>
  withConnection(path, (connection) => {
    const problems = [...known]
    const integrity: Array<string> = []
    let digest: string | undefined
    try {
      const verifier = new Verifier()
      verifier.advance(connection)
      verifier.rows(connection)
      problems.push(...verifier.problems)
      digest = digestOf(connection)
    } catch (error) {
      problems.push(`cannot be read: ${(error as Error).message}`)
    }
    try {
      integrity.push(...integrityProblems(connection))
    } catch (error) {
      integrity.push(`cannot be checked: ${(error as Error).message}`)
    }
    return { problems, integrity, digest }
  })
