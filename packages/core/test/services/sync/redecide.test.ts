import { describe, expect, it } from "vitest"
import type { Recorded } from "../../../src/Event.js"
import { Fold } from "../../../src/Fold.js"
import { decisive } from "../../../src/services/sync/entities.js"
import { redecide } from "../../../src/services/sync/redecide.js"
import { units } from "../../../src/services/sync/units.js"
import { recorded } from "../../../src/testing/specification.js"

const event = (stream: string, type: string, data: object): Recorded => recorded({ type, data }, { stream }) as Recorded

const server = (id: string, more: object = {}) =>
  event(`server-${id}`, "ServerAdded", { name: id, hostname: null, ipAddresses: [], role: null, sshConfig: null, local: false, os: null, resources: null, tags: [], notes: null, ...more }) // biome-ignore format: one event
const service = (id: string, serverId: string, name = id) => event(`service-${id}`, "ServiceAdded", { name, serverId })
const route = (id: string, serviceId: string) =>
  event(`route-${id}`, "RouteAdded", { domain: "x.example.com", path: "/", method: "*", serviceId })
const needs = (id: string, serviceId: string, on: string, required = true) =>
  event(`dependency-${id}`, "DependencyAdded", { serviceId, dependsOnServiceId: on, dependsOnExternal: null, required })
const secret = (id: string, serviceId: string | null, serverId: string | null) =>
  event(`secret-${id}`, "SecretAdded", { name: "KEY", serviceId, serverId })
const updated = (stream: string, type: string, changes: object) => event(stream, type, { name: "x", changes })
/** Said by a machine of a key: it is what a server is from now on. */
const local = (id: string, machine: string, key?: string): Recorded => {
  const said = updated(`server-${id}`, "ServerUpdated", { local: true })
  return { ...said, meta: { ...said.meta, machine, ...(key && { key }) } }
}
const renamed = (id: string, from: string, to: string) => event(`server-${id}`, "ServerRenamed", { from, to })
const removed = (stream: string, type: string) => event(stream, type, { name: "x" })
const settled = event("rejection-r", "RejectionSettled", { what: "", how: "retried", commandId: "c" })
const jump = (jumpHost: string) => ({ sshConfig: { user: null, port: 22, keyPath: null, jumpHost } })

/** What becomes of a unit after some events; and that what does not stand leaves nothing behind. */
const verdict = (there: ReadonlyArray<Recorded>, ...unit: ReadonlyArray<Recorded>) => {
  const world = new Fold(decisive)
  for (const one of there) world.apply(one)
  const rows = () => JSON.stringify([...world.tables].map(([name, table]) => [name, [...table].sort()]))
  const before = rows()
  const found = redecide(unit, world)
  if (found.outcome !== "stands") expect(rows()).toBe(before)
  return found.outcome === "stands" ? "stands" : `${found.outcome}: ${found.reason}`
}

const world = [server("s1"), server("s2"), service("api", "s1"), service("db", "s1"), needs("d1", "api", "db")]

describe("a decision that others have overtaken", () => {
  const cases: ReadonlyArray<readonly [string, ReadonlyArray<Recorded>, ReadonlyArray<Recorded>, string | RegExp]> = [
    ["adding what nobody has", world, [server("s3")], "stands"],
    ["adding what is there, as it was given again elsewhere", world, [server("s1"), settled], 'moot: server "s1" is there already'],
    ["adding what is there beside what is not", world, [server("s1"), service("new", "s1"), settled], 'refused: server "s1" is there already'],
    ["adding a name that is taken", world, [server("other", { name: "s1" })], 'refused: server "s1" already exists'],
    ["adding to what was removed", world, [service("web", "gone")], /refused: the server that service "web" belongs to/],
    ["adding a secret without a place twice", [secret("a", null, null)], [secret("b", null, null)], /refused: .*already/],
    ["adding a cycle", world, [needs("d2", "db", "api")], /refused: that would make a cycle/],
    ["adding a cycle that is not required", world, [needs("d2", "db", "api", false)], "stands"],
    ["making a cycle required", [...world, needs("d2", "db", "api", false)], [updated("dependency-d2", "DependencyUpdated", { required: true })], /cycle/],
    ["jumping through what is not there", world, [server("s3", jump("gone"))], /refused: .* would jump through "gone"/],
    ["jumping through a host by address", world, [server("s3", jump("ada@gate.example.com"))], "stands"],
    ["changing what was removed", world, [updated("server-gone", "ServerUpdated", { notes: "x" })], /refused: .*not there any more/],
    ["changing a field that another changed", world, [updated("server-s1", "ServerUpdated", { notes: "x" })], "stands"],
    ["changing to what it is already", world, [updated("server-s1", "ServerUpdated", { notes: null })], /moot: .* like that already/],
    ["being local to a machine that it is local to", [...world, local("s1", "beta", "bb")], [local("s1", "renamed", "bb")], /moot: .* like that already/],
    ["being local to another machine than it is", [...world, local("s1", "beta", "bb")], [local("s1", "beta", "cc")], "stands"],
    ["being local to a machine that has a key, where a name was all that was known", [...world, local("s1", "beta")], [local("s1", "beta", "bb")], "stands"],
    ["being local to a machine that it is local to, unsigned", [...world, local("s1", "beta")], [local("s1", "beta")], /moot: .* like that already/],
    ["being local to another machine than it is, unsigned", [...world, local("s1", "beta")], [local("s1", "alpha")], "stands"],
    ["moving to where the name is taken", [...world, service("twin", "s2", "api")], [updated("service-twin", "ServiceUpdated", { serverId: "s1" })], /already exists/],
    ["renaming to a taken name", world, [renamed("s1", "s1", "s2")], /refused: server "s2" already exists/],
    ["renaming to the name it has", world, [renamed("s1", "old", "s1")], /moot/],
    ["renaming what others jump through now", [...world, server("s3", jump("s1"))], [renamed("s1", "s1", "s9")], /still used by server s3/],
    ["removing what others jump through now, with its services", [...world, server("s3", jump("s1"))], [removed("dependency-d1", "DependencyRemoved"), removed("service-api", "ServiceRemoved"), removed("service-db", "ServiceRemoved"), removed("server-s1", "ServerRemoved")], /still used by server s3/],
    ["renaming it together with them", [...world, server("s3", jump("s1"))], [renamed("s1", "s1", "s9"), updated("server-s3", "ServerUpdated", jump("s9"))], "stands"],
    ["removing what is removed", world, [removed("server-gone", "ServerRemoved")], /moot: .* removed already/],
    ["removing a server with services", world, [removed("server-s1", "ServerRemoved")], /refused: .*still used by service api, service db/],
    ["removing a service with a route", [...world, route("r1", "api")], [removed("dependency-d1", "DependencyRemoved"), removed("service-api", "ServiceRemoved")], /still used by route x.example.com/],
    ["removing it with its route", [...world, route("r1", "api")], [removed("route-r1", "RouteRemoved"), removed("dependency-d1", "DependencyRemoved"), removed("service-api", "ServiceRemoved")], "stands"],
    ["removing what another depends on now", world, [removed("service-db", "ServiceRemoved")], /still used by dependency/],
    ["removing a part that others removed before", world, [removed("route-gone", "RouteRemoved"), removed("dependency-d1", "DependencyRemoved"), removed("service-api", "ServiceRemoved")], "stands"],
    ["removing a server with a secret of its own", [...world, secret("k", null, "s2")], [removed("server-s2", "ServerRemoved")], /still used by secret KEY/],
    ["a fact about what was removed", world, [event("service-gone", "HealthChecked", {})], "stands"],
    ["an event that only a newer version knows", world, [event("moon-1", "MoonLanded", {})], "stands"],
  ] // biome-ignore format: a table

  it.each(cases)("%s", (_, there, unit, expected) => {
    const found = verdict(there, ...unit)
    if (typeof expected === "string") expect(found).toBe(expected)
    else expect(found).toMatch(expected)
  })
})

describe("units", () => {
  const of = (signature: string | null, commandId: string) => ({ type: "x", signature, meta: { commandId } })

  it("are what one signature spans, or, unsigned, one command", () => {
    const events = [of("A", "1"), of("A", "2"), of("B", "2"), of(null, "3"), of(null, "3"), of(null, "4"), of("A", "1")]
    expect(units(events).map((unit) => unit.length)).toEqual([2, 1, 2, 1, 1])
  })
})
