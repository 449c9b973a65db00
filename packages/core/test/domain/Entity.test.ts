import { describe, it } from "vitest"
import { entity, type Server } from "../../src/domain/Server.js"
import { specify } from "../../src/testing/specification.js"

const server: Server = {
  name: "alpha",
  hostname: null,
  ipAddresses: ["192.168.1.10"],
  role: "homelab",
  sshConfig: null,
  local: false,
  os: null,
  resources: null,
  tags: [],
  notes: null,
}
const added = { type: "ServerAdded", data: server } as const
const removed = { type: "ServerRemoved", data: { name: "alpha" } } as const

describe("a registered thing", () => {
  const spec = specify(entity.aggregate)

  it("is added", () => spec.given().when({ _tag: "Add", data: server }).thenEvents(added))

  it("changes only in what differs", () =>
    spec
      .given(added)
      .when({ _tag: "Update", changes: { role: "homelab", tags: ["docker"] } })
      .thenEvents({ type: "ServerUpdated", data: { name: "alpha", changes: { tags: ["docker"] } } }))

  it("does not change when nothing differs", () =>
    spec
      .given(added)
      .when({ _tag: "Update", changes: { role: "homelab" } })
      .thenEvents())

  it("can have a field cleared", () =>
    spec
      .given(added)
      .when({ _tag: "Update", changes: { role: null } })
      .thenEvents({ type: "ServerUpdated", data: { name: "alpha", changes: { role: null } } }))

  it("is renamed from the name it has now", () =>
    spec
      .given(added, { type: "ServerRenamed", data: { from: "alpha", to: "beta" } })
      .when({ _tag: "Rename", to: "gamma" })
      .thenEvents({ type: "ServerRenamed", data: { from: "beta", to: "gamma" } }))

  it("is not renamed to the name it has", () => spec.given(added).when({ _tag: "Rename", to: "alpha" }).thenEvents())

  it("is removed", () => spec.given(added).when({ _tag: "Remove" }).thenEvents(removed))

  it("is not removed twice", () => spec.given(added, removed).when({ _tag: "Remove" }).thenRejected("NotFound"))

  it("is not changed after its end", () =>
    spec
      .given(added, removed)
      .when({ _tag: "Update", changes: { role: "staging" } })
      .thenRejected("NotFound"))
})
