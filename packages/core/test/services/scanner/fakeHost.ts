/** A host whose tools are small programs that print what the real ones print. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { container, nginxSite, ownUnit, pm2Entry, publishing, socketLine, unitBlock } from "./outputs.js"

export interface FakeHost {
  readonly tools: string
  /** What sessions of its sshd have. */
  readonly env: Readonly<Record<string, string>>
  /** A program of this name; `output` is what it prints, whatever it is asked. */
  readonly tool: (name: string, output: string, before?: string) => void
  readonly docker: (containers: ReadonlyArray<string>) => void
  readonly pm2: (entries: ReadonlyArray<object>) => void
  /** Leaves it with tools that have nothing to tell. */
  readonly empty: () => void
  readonly dispose: () => void
}

export const makeFakeHost = (): FakeHost => {
  const home = mkdtempSync(join(tmpdir(), "context-scanned-"))
  const tools = join(home, "tools")
  mkdirSync(tools)
  const tool = (name: string, output: string, before = "") => {
    writeFileSync(join(tools, `${name}.out`), output)
    writeFileSync(join(tools, name), `#!/bin/sh\n${before}\ncat "${join(tools, name)}.out"\n`, { mode: 0o755 })
  }
  return {
    tools,
    env: { HOME: home, PATH: `${tools}:/usr/local/bin:/usr/bin:/bin` },
    tool,
    docker: (containers) => {
      const ids = containers.map((one) => JSON.parse(one).id).join("\n")
      tool("docker", `${containers.join("\n")}\n`, `[ "$1" = ps ] && { echo "${ids}"; exit 0; }`)
    },
    pm2: (entries) => {
      mkdirSync(join(home, ".pm2"), { recursive: true })
      // A daemon of pm2 is a node process: the one that runs this test stands for it.
      writeFileSync(join(home, ".pm2/pm2.pid"), String(process.pid))
      tool("pm2", `\n>>>> In-memory PM2 is out-of-date, do:\n>>>> $ pm2 update\n${JSON.stringify(entries)}\n`)
    },
    empty: () => {
      rmSync(tools, { recursive: true, force: true })
      rmSync(join(home, ".pm2"), { recursive: true, force: true })
      mkdirSync(tools)
      for (const name of ["systemctl", "docker", "podman", "nginx", "caddy", "crontab"]) tool(name, "")
      tool("ss", "\n")
    },
    dispose: () => rmSync(home, { recursive: true, force: true }),
  }
}

const range = (n: number) => Array.from({ length: n }, (_, i) => i)

/** 200 units, 60 of them somebody's own; 50 containers; 30 pm2 processes with large environments; 100 sites of nginx. */
export const fill = ({ docker, pm2, tool }: FakeHost, secret: string): void => {
  const pids = (base: number, i: number) => 4_100_000 + base + i
  tool(
    "systemctl",
    range(200)
      .map((i) => (i < 60 ? ownUnit(`app${i}`, pids(0, i)) : unitBlock(`sys${i}`)))
      .join("\n\n"),
  )
  docker(
    range(50).map((i) =>
      container(`box-c${i}-1`, {
        ports: publishing(9000 + i, 80),
        project: "box",
        service: `c${i}`,
        needs: i > 0 ? `c${i - 1}:service_started:true` : "",
      }),
    ),
  )
  const environment = Object.fromEntries(range(60).map((n) => [`VARIABLE_${n}`, secret.repeat(3)]))
  pm2(range(30).map((i) => pm2Entry(`job${i}`, i, pids(1000, i), 7000 + i, environment)))
  tool(
    "ss",
    [
      ...range(60).map((i) => socketLine(`127.0.0.1:${3000 + i}`, "node", pids(0, i), `app${i}.service`)),
      ...range(50).map((i) => socketLine(`0.0.0.0:${9000 + i}`, "docker-proxy", pids(2000, i))),
    ].join("\n"),
  )
  const sites = range(100).map((i) => nginxSite(`site${i}.example.com`, i < 60 ? 3000 + i : 9000 + (i % 50)))
  tool("nginx", `http { ${sites.join("\n")} }`)
}
