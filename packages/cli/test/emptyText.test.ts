/** Empty text takes a value away, whatever kind of value it is; what has to have one keeps its refusal. */
import { expect, it, vi } from "vitest"
import { workspace } from "./support/cli.js"

vi.setConfig({ testTimeout: 60_000 })

it("takes one of some words away, too, where there need not be one", async () => {
  const { json, run, succeed } = workspace()
  await succeed("server add alpha --ip 10.0.0.1 --role production")
  await succeed("service add api --server alpha --type app --deploy-order start-first")
  await succeed("route add example.com --service api --ssl letsencrypt --proxy caddy")
  await succeed("dep add api --external stripe --type api")
  await succeed("secret add KEY --service api --manager vault")
  const shown = async () => ({
    server: (await json("server list"))[0].role,
    service: (await json("service list"))[0].type,
    settings: (await json("service list"))[0].deploySettings,
    route: (await json("route list")).map((row: Record<string, unknown>) => [row.ssl, row.proxyType])[0],
    dep: (await json("dep list"))[0].dependencyType,
    secret: (await json("secret list"))[0].secretManager,
  })
  const before = { server: "production", service: "app", settings: { order: "start-first" }, route: ["letsencrypt", "caddy"], dep: "api", secret: "vault" } // biome-ignore format: one line
  expect(await shown()).toEqual(before)
  for (const line of [
    'server update alpha --role ""',
    'service update api --type "" --deploy-order ""',
    'route update example.com --ssl "" --proxy ""',
    'dep update api --external stripe --type ""',
    'secret update KEY --service api --manager ""',
  ])
    await succeed(line)
  expect(await shown()).toEqual({ server: null, service: null, settings: null, route: [null, null], dep: null, secret: null }) // biome-ignore format: one line
  for (const line of ['server update alpha --local ""', 'route update example.com --auth ""', 'event add "it rained" --severity ""']) // biome-ignore format: a list
    expect(await run(line), line).toMatchObject({ code: 2, stderr: expect.stringContaining("must be one of") })
})
