/** Checks of routes from the command line: a name server of the test's own, and a proxy's configuration on this machine. */
import { chmodSync, mkdirSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { startDns } from "../../core/test/support/dns.js"
import { workspace } from "./support/cli.js"

describe("route check", () => {
  const ws = workspace()
  const tools = join(ws.directory, "tools")
  let dns: Awaited<ReturnType<typeof startDns>>
  beforeAll(async () => {
    mkdirSync(tools)
    const site = "server { listen 80; server_name api.example.com; location / { proxy_pass http://127.0.0.1:4000; } }"
    const heading = "# configuration file /etc/nginx/sites-enabled/api:"
    writeFileSync(join(tools, "nginx"), `#!/bin/sh\ncat <<'END'\n${heading}\n${site}\nEND\n`)
    chmodSync(join(tools, "nginx"), 0o755)
    // Nothing listens there: of this network even loopback has no host 127.77.0.7 with a web server.
    dns = await startDns({ "api.example.com": { a: ["127.77.0.7"], cname: "edge\u001b[31m.example.com" } })
    await ws.succeed("server add here --local --ip 127.77.0.7")
    await ws.succeed("service add api --server here --port 3000")
  })
  afterAll(() => dns.stop())

  const check = (more = "") =>
    ws.run(`route check ${more} --resolver ${dns.address}`, { env: { PATH: `${tools}:${process.env.PATH}` } })

  it("says how to add one where there is none", async () => {
    expect(await check()).toMatchObject({ code: 0, stdout: expect.stringContaining("context infra route add") })
  })

  it("shows in one table what visitors find and what the proxy does, and below it what is wrong", async () => {
    await ws.succeed("route add api.example.com --service api --proxy nginx")
    const { code, stderr, stdout } = await check()
    expect({ code, stderr }).toEqual({ code: 1, stderr: "" })
    const [head, row] = stdout.split("\n")
    expect(head).toMatch(/^ROUTE +STATE +DNS +TLS +HTTP +PROXY +SERVICE$/)
    expect(row).toMatch(
      /^api\.example\.com +trouble +edge.* → 127\.77\.0\.7 +none +none +nginx → 127\.0\.0\.1:4000 +here\/api$/,
    )
    expect(stdout).toContain("✗ api.example.com: http: nothing listens on port 80 of 127.77.0.7\n")
    expect(stdout).toContain(
      "! api.example.com: proxy: nginx sends it to 127.0.0.1:4000 (/etc/nginx/sites-enabled/api), while api is registered on port 3000\n",
    )
    expect(stdout).not.toContain("\u001b")
  })

  it("--no-proxy leaves the servers alone; --json gives every finding", async () => {
    const asked = await check("api.example.com --json")
    expect(asked.code).toBe(1)
    expect(JSON.parse(asked.stdout)).toMatchObject([
      { verdict: "trouble", proxy: { server: "here", kind: "nginx", file: "/etc/nginx/sites-enabled/api" } },
    ])
    const [report] = JSON.parse((await check("--no-proxy --json")).stdout)
    expect(report.proxy).toBeNull()
    expect(report.findings.map(({ about }: any) => about)).not.toContain("proxy")
  })

  it("refuses what makes no sense", async () => {
    expect(await check("apy.example.com")).toMatchObject({ code: 1, stderr: expect.stringContaining("did you mean") })
    for (const resolver of ["nowhere", "1.2.3", "9.9.9.9:0", "9.9.9.9:99999", ""]) {
      const ended = await ws.run(["route", "check", "--resolver", resolver])
      expect(ended, resolver).toMatchObject({
        code: 2,
        stderr: expect.stringContaining("--resolver must be an address"),
      })
    }
  })
})
