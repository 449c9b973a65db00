/** Servers from ssh's configuration: real files, and the real ssh asked what it would do. */
import { existsSync, mkdirSync, mkdtempSync, writeFileSync } from "node:fs"
import { tmpdir, userInfo } from "node:os"
import { join } from "node:path"
import * as Effect from "effect/Effect"
import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { readAnswer, readConfig, refuseHost } from "../../src/services/importer/sshConfig.js"
import { Registry } from "../../src/services/Registry.js"
import { type ImportReport, ServerImport } from "../../src/services/ServerImport.js"
import { requireTool } from "../support/tools.js"
import { appended, inWorld } from "../support/world.js"

requireTool("ssh", "openssh-client")("an import from ssh's configuration", () => {
  /** A directory with these files in it; `@` in them is the directory. */
  const files = (texts: Readonly<Record<string, string>>): string => {
    const directory = mkdtempSync(join(tmpdir(), "context-import-"))
    mkdirSync(join(directory, "conf.d"))
    for (const [name, text] of Object.entries(texts))
      writeFileSync(join(directory, name), text.replaceAll("@/", `${directory}/`))
    return directory
  }

  const read = (texts: Readonly<Record<string, string>>): Promise<ImportReport> => {
    const directory = files(texts)
    return inWorld(Effect.flatMap(ServerImport, (one) => one.read(join(directory, "config"))))
  }

  const me = userInfo().username

  it("asks ssh about every host, whatever file names it", async () => {
    const {
      findings,
      files: read_,
      skipped,
    } = await read({
      config: `# mine
Include @/conf.d/*.conf "@/more hosts"
Host=web www
  HostName web.example.com
  User ada
  Port 2222
  IdentityFile ~/.ssh/%n_%r
Host *.example.org !not.example.org
  User nobody
Host box
  HostName "192.0.2.7"
Match originalhost box
  Port 2200
Host *
  ServerAliveInterval 30
`,
      "conf.d/a.conf": "Include @/conf.d/inner\nHost six\n  HostName 2001:db8::6\n",
      "conf.d/inner": "Host inner\n\tHostname inner.lan # inside\n",
      "more hosts": 'Host "spaced"\n  HostName spaced.lan\n',
    })
    const defaults = { user: me, port: 22, keyPath: null, jumpHost: null }
    expect(findings.map(({ aliases, candidate, change }) => [change, aliases, candidate])).toEqual([
      [
        "new",
        ["www"],
        {
          name: "web",
          hostname: "web.example.com",
          ipAddresses: [],
          sshConfig: { user: "ada", port: 2222, keyPath: "~/.ssh/web_ada", jumpHost: null },
        },
      ],
      ["new", [], { name: "box", hostname: null, ipAddresses: ["192.0.2.7"], sshConfig: { ...defaults, port: 2200 } }],
      ["new", [], { name: "six", hostname: null, ipAddresses: ["2001:db8::6"], sshConfig: defaults }],
      ["new", [], { name: "spaced", hostname: "spaced.lan", ipAddresses: [], sshConfig: defaults }],
      ["new", [], { name: "inner", hostname: "inner.lan", ipAddresses: [], sshConfig: defaults }],
    ])
    expect(skipped).toEqual([])
    expect(read_).toHaveLength(4)
  })

  it("names the servers that others are reached through, and says so where they are none", async () => {
    const { findings, skipped } = await read({
      config: `Host bastion
  HostName 192.0.2.1
  User jump
Host inside
  HostName 10.0.0.5
  ProxyJump bastion
Host deep
  HostName 10.0.0.6
  ProxyJump ops@gate.example.com:2022
Host other
  HostName 10.0.0.7
  ProxyJump wild.gates
Host *.gates
  HostName 192.0.2.9
  Port 2299
Host two
  ProxyJump bastion,gate
Host odd
  ProxyCommand nc %h %p
Host github.com
  User git
`,
    })
    expect(findings.map(({ candidate, name }) => [name, candidate.sshConfig.jumpHost])).toEqual([
      ["bastion", null],
      ["inside", "bastion"],
      ["deep", "ops@gate.example.com:2022"],
      ["other", `${me}@192.0.2.9:2299`],
    ])
    expect(skipped.map(({ host }) => host)).toEqual(["two", "odd", "github.com"])
  })

  it("registers what was chosen, once, and then finds nothing to change", () =>
    inWorld(
      Effect.gen(function* () {
        const config = join(
          files({
            config:
              "Host bastion\n HostName 192.0.2.1\nHost inside\n HostName inside.lan\n ProxyJump bastion\n User ada\n",
          }),
          "config",
        )
        const importer = yield* ServerImport
        const { findings } = yield* importer.read(config)
        const [, inside] = findings
        expect(yield* importer.apply([inside!])).toEqual({
          applied: [],
          skipped: [{ host: "inside", reason: "its jump host bastion is not registered: choose it, too" }],
        })
        const first = yield* appended(importer.apply(findings))
        expect(first).toEqual({
          value: { applied: ["bastion", "inside"], skipped: [] },
          events: ["ServerAdded", "ServerAdded"],
        })
        const registry = yield* Registry
        expect(yield* registry.servers.get("inside")).toMatchObject({
          hostname: "inside.lan",
          sshConfig: { user: "ada", port: 22, jumpHost: "bastion" },
        })
        expect((yield* importer.read(config)).findings.map(({ change }) => change)).toEqual(["same", "same"])
        expect((yield* appended(importer.apply(findings))).events).toEqual([])
      }),
    ))

  it("shows what differs from the registry, knows a server by its address, and changes only that", () =>
    inWorld(
      Effect.gen(function* () {
        const registry = yield* Registry
        yield* registry.servers.add({
          name: "hetzner",
          ipAddresses: ["192.0.2.1"],
          tags: ["edge"],
          sshConfig: { user: "root", port: 22, keyPath: "~/.ssh/own", jumpHost: null },
        })
        const config = join(files({ config: "Host h\n HostName 192.0.2.1\n User deploy\n" }), "config")
        const importer = yield* ServerImport
        const { findings } = yield* importer.read(config)
        expect(findings).toMatchObject([
          { host: "h", name: "hetzner", change: "changed", fields: [{ field: "user", from: "root", to: "deploy" }] },
        ])
        yield* importer.apply(findings)
        expect(yield* registry.servers.get("hetzner")).toMatchObject({
          ipAddresses: ["192.0.2.1"],
          tags: ["edge"],
          sshConfig: { user: "deploy", port: 22, keyPath: "~/.ssh/own" },
        })
      }),
    ))

  it("runs nothing that a hostile file names", async () => {
    const directory = files({})
    const pwned = join(directory, "pwned")
    const names = [
      `$(touch ${pwned})`,
      `\`touch ${pwned}\``,
      `a;touch ${pwned}`,
      "-oProxyCommand=touch@pwned",
      "-F/etc/passwd",
      "a b",
      "x'y",
      "%h",
      "a\u001b[31mb",
    ]
    writeFileSync(
      join(directory, "config"),
      `${names.map((name) => `Host "${name}"\n  HostName h\n`).join("")}Include "$(touch ${pwned})" ${directory}/$(touch*) -x ;touch\nHost fine\n  HostName fine.lan\n`,
    )
    const { findings, skipped } = await inWorld(
      Effect.flatMap(ServerImport, (one) => one.read(join(directory, "config"))),
    )
    expect(existsSync(pwned)).toBe(false)
    expect(findings.map(({ host }) => host)).toEqual(["fine"])
    expect(skipped.map(({ reason }) => reason)).toEqual(
      expect.arrayContaining(["begins with a dash, as an option would", "holds characters that no name of a host has"]),
    )
    expect(JSON.stringify(skipped)).not.toContain("\\u001b")
  })

  it("says what ssh says of a file that it does not understand", async () => {
    const { findings, skipped } = await read({ config: "Host a\n  HostName a.lan\n  Nonsense yes\n" })
    expect(findings).toEqual([])
    expect(skipped).toEqual([
      { host: "a", reason: expect.stringMatching(/line 3: Bad configuration option: nonsense/) },
    ])
  })

  it("has nothing to say where there is no such file", async () => {
    const nothing = await inWorld(Effect.flatMap(ServerImport, (one) => one.read("/nonexistent/config")))
    expect(nothing).toEqual({ findings: [], skipped: [], files: [] })
  })
})

describe("whatever a configuration holds", () => {
  const text = fc.array(
    fc.oneof(
      fc.string({ unit: "binary" }),
      fc.constantFrom("Host ", "Include ", '"', "\\", "\n", "=", "#", "!", "*", "hostname h", "port 22", "\nport "),
    ),
  )

  it("is read without an error, and only names of hosts are asked about", () => {
    fc.assert(
      fc.property(text, (parts) => {
        const { hosts } = readConfig(parts.join(""))
        for (const host of hosts.filter((one) => refuseHost(one) === undefined)) expect(host).toMatch(/^[\w][\w.:-]*$/)
        const answer = readAnswer("h", parts.join(""))
        expect(JSON.stringify(answer)).not.toMatch(/\\u00|\\n/)
      }),
      { numRuns: 5_000 },
    )
  })
})
