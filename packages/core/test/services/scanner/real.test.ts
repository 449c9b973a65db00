/** The script in the shells there are, and the parsers on what the real programs print. */
import { execFileSync, spawnSync } from "node:child_process"
import { mkdirSync, mkdtempSync, writeFileSync } from "node:fs"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { expect, it } from "vitest"
import { scanScript, sectionNames } from "../../../src/services/scanner/host.js"
import { parseCaddy } from "../../../src/services/scanner/parsers/caddy.js"
import { parseNginx } from "../../../src/services/scanner/parsers/nginx.js"
import { sectionsOf } from "../../../src/services/scanner/sections.js"
import { readSections } from "../../../src/services/scanner/seen.js"
import { findTool, requireTool, toolPath } from "../../support/tools.js"

const shells = { dash: "dash", bash: "bash", busybox: "busybox", mksh: "mksh" }

for (const [shell, debianPackage] of Object.entries(shells).filter(([name]) => name === "dash" || findTool(name))) {
  requireTool(shell, debianPackage)(`the scan in ${shell}`, () => {
    const scan = (env: Readonly<Record<string, string>>) => {
      const words = shell === "busybox" ? ["sh", "-c", scanScript] : ["-c", scanScript]
      const { status, stderr, stdout } = spawnSync(toolPath(shell), [...words, "sh", "mark"], {
        encoding: "utf8",
        timeout: 20_000,
        env: { HOME: "/nonexistent", ...env },
        stdio: ["ignore", "pipe", "pipe"],
      })
      expect({ status, stderr }).toEqual({ status: 0, stderr: "" })
      expect(stdout.endsWith("\nmark over\n")).toBe(true)
      return readSections(sectionsOf(stdout, "mark"))
    }

    it("finds who listens on this machine", async () => {
      const server = createServer().listen(0, "127.0.0.1")
      await new Promise((done) => server.once("listening", done))
      const { port } = server.address() as AddressInfo
      const { processes, sockets } = scan({ PATH: process.env.PATH ?? "" })
      server.close()
      const found = sockets.find((socket) => socket.port === port)
      expect(found).toMatchObject({ address: "127.0.0.1" })
      // Only the newer tools say which process it is.
      if (found?.pid !== undefined) {
        expect(found.pid).toBe(process.pid)
        expect(processes.find(({ pid }) => pid === process.pid)).toMatchObject({
          program: process.execPath,
          directory: process.cwd(),
        })
      }
    })

    it("ends what hangs, and all that it started, and goes on", () => {
      const tools = mkdtempSync(join(tmpdir(), "context-hanging-"))
      const marker = `41.${process.pid}`
      writeFileSync(join(tools, "crontab"), `#!/bin/sh\nsleep ${marker} &\nwait\n`, { mode: 0o755 })
      const { status } = scan({ PATH: `${tools}:${process.env.PATH}`, HOME: tools })
      expect(status.cron).toBe("late")
      expect(Object.keys(status)).toEqual([...sectionNames])
      const left = spawnSync("pgrep", ["-f", `^sleep ${marker}$`], { encoding: "utf8" }).stdout
      expect(left).toBe("")
    })
  })
}

requireTool("nginx", "nginx-light")("nginx itself", () => {
  it("prints its sites so that they are read", () => {
    const directory = mkdtempSync(join(tmpdir(), "context-nginx-"))
    mkdirSync(join(directory, "sites"))
    const conf = `pid ${directory}/pid; error_log ${directory}/error.log; events {} http { access_log off; upstream api { server 127.0.0.1:3000; } include ${directory}/sites/*; }`
    writeFileSync(join(directory, "nginx.conf"), conf)
    for (let i = 0; i < 20; i++) {
      writeFileSync(
        join(directory, "sites", `site${i}`),
        `server { listen 8${100 + i}; server_name site${i}.example.com; location / { proxy_pass http://api; } location /files/ { alias ${directory}/; } }`,
      )
    }
    const text = execFileSync(toolPath("nginx"), ["-T", "-c", join(directory, "nginx.conf")], {
      encoding: "utf8",
      stdio: ["ignore", "pipe", "ignore"],
    })
    const sites = parseNginx(text)
    expect(sites).toHaveLength(20)
    const names = sites.flatMap((site) => site.names).sort()
    expect(names).toEqual(Array.from({ length: 20 }, (_, i) => `site${i}.example.com`).sort())
    for (const site of sites) {
      expect(site.routes).toEqual([
        { path: "/", upstreams: [{ _tag: "Address", host: "127.0.0.1", port: 3000 }] },
        { path: "/files", upstreams: [] },
      ])
    }
  })
})

requireTool("caddy", "caddy")("caddy itself", () => {
  it("translates a Caddyfile to what the file as text is read as", () => {
    const caddyfile = `{
	email ops@example.com
}
app.example.com {
	basicauth {
		ada $2a$14$Zkx19XLiW6VYouLHR5NmfOFU0z2GTNmpkT/5qqR7hx4IjWJPDhjvG
	}
	handle /api/* {
		reverse_proxy 127.0.0.1:3000
	}
	handle_path /static/* {
		root * /srv
		file_server
	}
	reverse_proxy localhost:4000 10.0.0.7:4000
}
http://plain.example.com {
	reverse_proxy unix//run/ws.sock
}
intern.example.com:8443 {
	tls internal
	reverse_proxy :5000
}
`
    const file = join(mkdtempSync(join(tmpdir(), "context-caddy-")), "Caddyfile")
    writeFileSync(file, caddyfile)
    const adapted = execFileSync(toolPath("caddy"), ["adapt", "--config", file], {
      encoding: "utf8",
      stdio: ["ignore", "pipe", "ignore"],
    })
    const sorted = (text: string) =>
      parseCaddy(text)
        .map((site) => ({ ...site, routes: [...site.routes].sort((a, b) => a.path.localeCompare(b.path)) }))
        .sort((a, b) => (a.names[0] as string).localeCompare(b.names[0] as string))
    expect(adapted).toContain("$2a$14$")
    expect(JSON.stringify(sorted(adapted))).not.toContain("$2a$14$")
    expect(sorted(adapted)).toEqual(sorted(caddyfile))
    expect(sorted(adapted).map(({ names, ports, ssl }) => [names, ports, ssl])).toEqual([
      [["app.example.com"], [443], "letsencrypt"],
      [["intern.example.com"], [8443], "self-signed"],
      [["plain.example.com"], [80], undefined],
    ])
  })
})
