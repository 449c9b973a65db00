/** The handlers of who may write to the log: this machine decides, as far as it is an admin. */
import { Machines } from "@context-engine/core/services/Machines"
import * as HttpApiBuilder from "@effect/platform/HttpApiBuilder"
import * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import { Api } from "../api/Api.js"

const machines = <A, E>(tell: (machines: Machines["Type"]) => Effect.Effect<A, E>) => Effect.flatMap(Machines, tell)

/** How long an invite is good where nobody says it. */
const short = Effect.map(DateTime.now, (now) => DateTime.formatIso(DateTime.add(now, { minutes: 15 })))

export const layer = HttpApiBuilder.group(Api, "machines", (handlers) =>
  handlers
    .handle("list", () => machines(({ list }) => list))
    .handle("add", ({ payload: { name, role = "member" } }) => machines((_) => _.add(name, role)))
    .handle("invite", ({ payload: { expiresAt, role = "member", uses = 1 } }) =>
      Effect.flatMap(expiresAt === undefined ? short : Effect.succeed(expiresAt), (until) =>
        machines((_) => _.invite({ role, uses, expiresAt: until })),
      ),
    )
    .handle("withdraw", ({ path }) => machines((_) => _.withdraw(path.id)))
    .handle("acknowledge", () =>
      machines((_) => Effect.map(_.acknowledge(false), (acknowledged) => ({ acknowledged }))),
    )
    .handle("approve", ({ path, payload: { role = "member" } }) => machines((_) => _.approve(path.id, role)))
    .handle("revoke", ({ path }) => machines((_) => _.revoke(path.id)))
    .handle("rename", ({ path, payload }) => machines((_) => _.rename(path.id, payload.to))),
)
