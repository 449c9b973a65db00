/** Whatever a host prints: no parser throws, none is slow, and no secret gets through. */
import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { compare } from "../../../src/services/scanner/compare.js"
import { candidatesOf } from "../../../src/services/scanner/edges.js"
import { type SectionName, sectionNames } from "../../../src/services/scanner/host.js"
import { parseCaddy } from "../../../src/services/scanner/parsers/caddy.js"
import { parseContainers } from "../../../src/services/scanner/parsers/containers.js"
import { parseCron } from "../../../src/services/scanner/parsers/cron.js"
import { parseNginx } from "../../../src/services/scanner/parsers/nginx.js"
import { parsePm2 } from "../../../src/services/scanner/parsers/pm2.js"
import { parseProcesses } from "../../../src/services/scanner/parsers/processes.js"
import { parseSockets } from "../../../src/services/scanner/parsers/sockets.js"
import { parseUnits } from "../../../src/services/scanner/parsers/systemd.js"
import { sectionsOf } from "../../../src/services/scanner/sections.js"
import { readSections } from "../../../src/services/scanner/seen.js"
import { container, nginxSite, ownUnit, pm2Entry, publishing, socketLine, unitBlock } from "./outputs.js"

/** Secrets of well-known shapes, which may stand anywhere; and one of no shape, which stands where no parser looks. */
const shaped = [
  "ghp_abcdefghijklmnopqrstuvwxyz0123456789",
  "AKIAIOSFODNN7EXAMPLE",
  "sk_live_abcdefghijklmnop1234",
  "xoxb-1234567890-abcdefghij",
]
const shapeless = "correct-horse-canary"

const pm2Secrets = { API_KEY: shaped[0] as string, DATABASE_PASSWORD: shapeless, PASSPHRASE: shapeless }

const outputs: Readonly<Record<SectionName | "processes", string>> = {
  systemd: [
    ownUnit("api", 700, `/srv/api/server.js --key=${shapeless}`),
    unitBlock("nginx", { Environment: `TOKEN=${shapeless}` }),
    "● a.service loaded failed failed A",
  ].join("\n\n"),
  docker: [
    container("db", { ports: publishing(5432, 5432), env: [`POSTGRES_PASSWORD=${shapeless}`] }),
    container("web", { needs: "db:x" }),
    "ps\t0123456789ab\tw\tnginx\tUp\t:::80->80/tcp",
  ].join("\n"),
  podman: container("p", { Config: { Env: [`KEY=${shapeless}`] } }),
  pm2: `[PM2] Spawning\n${JSON.stringify([pm2Entry("api", 0, 700, 3000, pm2Secrets), pm2Entry("w", 1, 701, 3001, pm2Secrets)])}`,
  sockets: `${socketLine("0.0.0.0:80", "nginx", 812, "nginx.service")}\ntcp6 0 0 :::22 :::* LISTEN 700/sshd\nnode 1 a 23u IPv6 0x1 0t0 TCP *:3000 (LISTEN)\n0: 0100007F:0CEA 00000000:0000 0A`,
  processes:
    "/proc/812/stat:812 (nginx) S 811 1\n/proc/812/cgroup:0::/system.slice/nginx.service\nl /proc/812/exe -> /usr/sbin/nginx",
  nginx: `# configuration file /etc/nginx/nginx.conf:\nhttp { upstream b { server 10.0.0.1:80; } ${nginxSite("a.example.com", 3000).replace("canary-in-a-header", shapeless)} }`,
  caddy: `{"apps":{"http":{"servers":{"s":{"listen":[":443"],"routes":[{"match":[{"host":["a.example.com"]}],"handle":[{"handler":"subroute","routes":[{"handle":[{"handler":"reverse_proxy","headers":{"x":"${shapeless}"},"upstreams":[{"dial":"127.0.0.1:3000"}]}]}]}]}]}}}}}\nb.example.com {\n  reverse_proxy /a/* :80\n basic_auth ada ${shapeless}\n}`,
  cron: `PW=${shapeless}\n*/5 * * * * cd /srv && /srv/x.sh ${shapeless}\n# crontab file /etc/cron.d/a\n@daily root /srv/y.py --key ${shapeless}`,
}

const parsers: Readonly<Record<keyof typeof outputs, (text: string) => unknown>> = {
  systemd: parseUnits,
  docker: parseContainers,
  podman: parseContainers,
  pm2: parsePm2,
  sockets: parseSockets,
  processes: parseProcesses,
  nginx: parseNginx,
  caddy: parseCaddy,
  cron: parseCron,
}

/** An edit of a text: a piece cut out, put in or put twice, at a place given as a share of its length. */
const edit = fc.record({
  at: fc.double({ min: 0, max: 1, noNaN: true }),
  drop: fc.nat(40),
  put: fc.oneof(
    fc.string({ unit: "binary", maxLength: 20 }),
    fc.constantFrom(
      "{",
      "}",
      "[",
      "]",
      '"',
      "\\",
      "\n",
      "\0",
      "\u001b[31m",
      "\u202e",
      ";",
      "'",
      "\r",
      "\t",
      "null",
      "1e999",
      "-1",
      "__proto__",
      ":",
      "(",
      "$",
      "\ud800",
    ),
    fc.constantFrom(...shaped),
  ),
})

const mangled = (original: string) =>
  fc.array(edit, { minLength: 1, maxLength: 6 }).map((edits) =>
    edits.reduce((text, { at, drop, put }) => {
      const from = Math.floor(at * text.length)
      return text.slice(0, from) + put + text.slice(from + drop)
    }, original),
  )

/** A secret that an edit has glued to other letters is none any more that could be told. */
const secrets = new RegExp(`(?<!\\w)(?:${shaped.join("|")})(?!\\w)`)

const safe = (result: unknown) => {
  const text = JSON.stringify(result)
  if (secrets.test(text)) throw new Error(`let a secret through: ${text}`)
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what it looks for
  if (/[\u0000-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]|\\u001b|\\ud[89a-f]/.test(text))
    throw new Error(`let controls through: ${text}`)
}

describe("parsers", () => {
  it.each(Object.keys(outputs) as ReadonlyArray<keyof typeof outputs>)(
    "%s: 11,000 texts, made up and mangled",
    (name) => {
      const parse = parsers[name]
      fc.assert(
        fc.property(mangled(outputs[name]), (text) => safe(parse(text))),
        { numRuns: 8_000 },
      )
      fc.assert(
        fc.property(fc.string({ unit: "binary", maxLength: 300 }), (text) => safe(parse(text))),
        { numRuns: 2_000 },
      )
      fc.assert(
        fc.property(fc.json({ maxDepth: 5 }), (text) => safe(parse(`[${text}]`))),
        { numRuns: 1_000 },
      )
    },
  )

  it.each(Object.keys(outputs) as ReadonlyArray<keyof typeof outputs>)(
    "%s keeps nothing that was not asked for",
    (name) => {
      expect(JSON.stringify(parsers[name](outputs[name]))).not.toContain(shapeless)
    },
  )

  it("take time in proportion to what they read", () => {
    for (const [name, parse] of Object.entries(parsers)) {
      for (const piece of [
        "{",
        "[{",
        '{"',
        '"',
        "\\",
        "a",
        " ",
        "$",
        "${",
        "{ ",
        "x {\n",
        "server { location / { ",
        "LISTEN ",
        ":",
        "/",
        "-",
        "password",
        "eyJ",
        "a.",
        "(",
      ]) {
        const text = piece.repeat(Math.ceil(300_000 / piece.length))
        const began = performance.now()
        parse(text)
        expect(performance.now() - began, `${name} on ${JSON.stringify(piece)}`).toBeLessThan(2_000)
      }
    }
  })
})

describe("a whole scan", () => {
  const row = { id: "s1", name: "box", ipAddresses: [], hostname: null } as any
  const known = { server: row, servers: [row], services: [], routes: [], dependencies: [] }

  it("of 1,500 mangled hosts is compared without an error, and with names that the registry accepts", () => {
    const host = fc.record(
      Object.fromEntries(sectionNames.map((name) => [name, mangled(outputs[name])])) as Record<
        SectionName,
        fc.Arbitrary<string>
      >,
    )
    fc.assert(
      fc.property(host, (texts) => {
        const output = sectionNames.map((name) => `\nM begin ${name}\n${texts[name]}\nM end 0`).join("\n")
        const seen = readSections(sectionsOf(output, "M"))
        const { findings } = compare(candidatesOf(seen), seen, known)
        safe(findings)
        expect(new Set(findings.map(({ id }) => id)).size).toBe(findings.length)
        for (const { confidence, evidence, kind, name } of findings) {
          expect(confidence > 0 && confidence <= 1 && evidence.length > 0).toBe(true)
          if (kind === "service") expect(name).toMatch(/^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/)
        }
      }),
      { numRuns: 1_500 },
    )
  })
})
