/** Several services, some at a time. */
import * as Effect from "effect/Effect"
import { InvalidInput, OperationFailed } from "../../Errors.js"
import type { DeploymentRow } from "../../views/deployments.js"
import { findService, fullName, type Placed, placeAll } from "../names.js"
import type { Parts } from "./parts.js"
import type { DeployError, DeployedMany, DeployerShape, ManyOptions } from "./types.js"

export const makeMany =
  (parts: Parts, deploy: DeployerShape["deploy"]): DeployerShape["deployMany"] =>
  (what, options = {}) =>
    Effect.gen(function* () {
      const names = yield* namesOf(parts, what)
      const size = yield* batchSize(options.batch ?? "1", names.length)
      const deployments: Array<DeploymentRow> = []
      const refused: Array<DeployedMany["refused"][number]> = []
      let next = 0
      while (next < names.length && refused.length === 0 && deployments.every(isGood)) {
        const batch = names.slice(next, next + size)
        next += batch.length
        const results = yield* Effect.forEach(batch, (name) => one(deploy, name, options), { concurrency: size })
        for (const result of results) {
          if ("message" in result) refused.push(result)
          else deployments.push(result)
        }
      }
      return { deployments, refused, left: names.slice(next) }
    }).pipe(Effect.withSpan("Deployer.deployMany"))

const isGood = ({ status }: DeploymentRow): boolean => status === "success"

const one = (deploy: DeployerShape["deploy"], name: string, { batch: _, watch, ...options }: ManyOptions) =>
  deploy(name, { ...options, ...watch?.(name) }).pipe(
    Effect.catchAll((error) => Effect.succeed({ service: name, message: error.message })),
  )

/** The full names of what is to be deployed: those given, or all that can be deployed on the servers with a tag. */
const namesOf = (
  parts: Parts,
  { services = [], tag }: Parameters<DeployerShape["deployMany"]>[0],
): Effect.Effect<ReadonlyArray<string>, DeployError> =>
  Effect.gen(function* () {
    const named: Array<Placed> = []
    for (const name of services) named.push(yield* findService(parts.models, name))
    if (tag !== undefined) {
      const all = yield* placeAll(parts.models, yield* parts.models.services.list())
      named.push(...all.filter(({ server, service }) => server.tags.includes(tag) && service.deployCommand !== null))
    }
    const names = [...new Set(named.map(fullName))]
    if (names.length > 0) return names
    return yield* new OperationFailed({
      operation: "deploy",
      message:
        tag === undefined ? "no service is named" : `no service with a deploy command is on a server tagged ${tag}`,
      next: "see what there is: context infra service list",
    })
  })

const batchSize = (batch: string, count: number): Effect.Effect<number, InvalidInput> => {
  const found = /^(\d{1,4})(%?)$/.exec(batch)
  const number = Number(found?.[1])
  if (found === null || number < 1 || (found[2] === "%" && number > 100)) {
    return new InvalidInput({
      field: "batch",
      reason: `must be a number such as 2 or a share such as 25%, not "${batch}"`,
    })
  }
  return Effect.succeed(found[2] === "%" ? Math.max(1, Math.floor((count * number) / 100)) : number)
}
