/** Plans, settings, and deployments of several services at once, on this machine. */
import { execFileSync } from "node:child_process"
import { mkdirSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { beforeAll, describe, expect, it } from "vitest"
import { context, workspace } from "./support/cli.js"

describe("several services at once", () => {
  const ws = workspace()
  beforeAll(async () => {
    await ws.succeed("server add here --local --tag edge")
    for (const [name, command] of [
      ["api", "echo one; echo two"],
      ["web", "echo bad >&2; exit 3"],
      ["worker", "echo three"],
    ] as const) {
      await ws.succeed(["service", "add", name, "--server", "here", "--deploy", command])
    }
    await ws.succeed("service add notes --server here")
  })

  it("each line says whose it is, and a table how they went", async () => {
    const ended = await ws.run("deploy api worker")
    expect(ended, ended.stderr).toMatchObject({ code: 0 })
    expect(ended.stdout).toMatch(/here\/api → running the deploy command\nhere\/api │ one\nhere\/api │ two\n/)
    expect(ended.stdout).toMatch(/here\/worker │ three\n/)
    expect(ended.stdout).toMatch(/SERVICE +STATUS +TOOK\nhere\/api +success \(unverified\)/)
  })

  it("none is begun after a failure, and which is said", async () => {
    const ended = await ws.run("deploy api web worker")
    expect(ended.code).toBe(1)
    expect(ended.stdout).toMatch(/here\/web +failed +.* the deploy command exited with 3\nhere\/worker +not begun\n$/)
    expect(ended.stdout).not.toContain("three")
    expect(ended.stderr).toBe(
      [
        "error: here/web was not deployed well; not begun: here/worker",
        "  │ bad",
        "  when that is mended: context infra deploy here/worker",
        "",
      ].join("\n"),
    )
    expect(await ws.json("history worker")).toHaveLength(1)
  })

  it("--tag takes all that can be deployed there, --batch so many at once; --json gives one document", async () => {
    const ended = await ws.run("deploy --tag edge --batch 100% --json")
    expect(ended.code).toBe(1)
    const answer = JSON.parse(ended.stdout)
    expect(answer.deployments.map((row: any) => [row.service, row.status]).sort()).toEqual([
      ["api", "success"],
      ["web", "failed"],
      ["worker", "success"],
    ])
    expect(answer).toMatchObject({ refused: [], left: [] })
    expect(ended.stderr).toContain("here/api │ one")
  })

  it("says what is wrong with what was asked for", async () => {
    expect(await ws.run("deploy")).toMatchObject({ code: 2, stderr: expect.stringContaining("missing argument") })
    expect(await ws.run("deploy --tag none")).toMatchObject({ code: 1, stderr: expect.stringContaining("tagged none") })
    expect(await ws.run("deploy --tag none --plan")).toMatchObject({
      code: 1,
      stderr: expect.stringContaining("tagged none"),
    })
    expect(await ws.run("deploy api web --batch 0")).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(/--batch/),
    })
    expect((await ws.run("deploy api --wait soon")).code).toBe(2)
    expect((await ws.run("deploy api --health-count 0")).code).toBe(2)
  })

  it("plans them one below the other, and fails if one would be refused", async () => {
    const before = ws.events()
    const good = await ws.json("deploy api --plan")
    expect(good).toMatchObject({ service: "here/api", problems: [], steps: [{ step: "command" }] })
    const all = await ws.run("deploy --tag edge --plan --json")
    expect(JSON.parse(all.stdout).map((plan: any) => plan.service)).toEqual(["here/api", "here/web", "here/worker"])
    const bad = await ws.run("deploy api notes --plan")
    expect(bad).toMatchObject({ code: 1, stderr: "" })
    expect(bad.stdout).toMatch(/✗ it has no deploy command[\s\S]*1 of 2 would be refused; nothing was changed\n$/)
    expect(ws.events()).toBe(before)
  })
})

describe("a service's settings", () => {
  const ws = workspace()
  const origin = join(ws.directory, "origin")
  const live = join(ws.directory, "live")
  const git = (...args: ReadonlyArray<string>) =>
    execFileSync("git", ["-C", origin, "-c", "user.name=t", "-c", "user.email=t@t", ...args], { encoding: "utf8" })
  const commit = (subject: string): string => {
    writeFileSync(join(origin, "file"), subject)
    git("add", ".")
    git("commit", "-qm", subject)
    return git("rev-parse", "HEAD").trim()
  }
  let v1 = ""
  let v2 = ""
  beforeAll(async () => {
    mkdirSync(origin)
    git("init", "-q", "-b", "main")
    v1 = commit("the first")
    execFileSync("git", ["clone", "-q", origin, live])
    v2 = commit("the second")
    await ws.succeed("server add here --local")
    await ws.succeed(["service", "add", "api", "--server", "here", "--project", live, "--deploy", "git pull -q"])
  })

  it("are set, merged with what is there, shown, and taken away", async () => {
    const set = [
      "--pre",
      "echo before $TOKEN",
      "--post",
      "echo after",
      "--deploy-env",
      "TOKEN",
      "--deploy-timeout",
      "2m",
    ]
    const more = [
      "--health-timeout",
      "5s",
      "--health-count",
      "3",
      "--auto-rollback",
      "yes",
      "--deploy-order",
      "stop-first",
    ]
    await ws.succeed(["service", "update", "api", ...set])
    await ws.succeed(["service", "update", "api", ...more, "--deploy-dir", live])
    expect((await ws.json("service show api")).deploySettings).toEqual({
      pre: "echo before $TOKEN",
      post: "echo after",
      env: ["TOKEN"],
      directory: live,
      timeout: "2m",
      healthTimeout: "5s",
      healthCount: 3,
      autoRollback: true,
      order: "stop-first",
    })
    expect(await ws.succeed("service show api")).toMatch(/before +echo before \$TOKEN\n +deploy +git pull/)
    await ws.succeed('service update api --health-count "" --health-timeout "" --deploy-order none --deploy-dir ""')
    await ws.succeed("service update api --auto-rollback no --port 3000")
    expect((await ws.json("service show api")).deploySettings).toEqual({
      pre: "echo before $TOKEN",
      post: "echo after",
      env: ["TOKEN"],
      timeout: "2m",
      autoRollback: false,
    })
    expect(await ws.run("service update api --deploy-timeout soon")).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(/^error: --deploy-timeout must be a span/),
    })
  })

  it("the steps run in order, with variables of which no value is printed by us", async () => {
    expect(await ws.run("deploy api")).toMatchObject({ code: 1, stderr: expect.stringContaining("needs TOKEN") })
    const ended = await ws.run("deploy api", { env: { TOKEN: "tok-12345" } })
    expect(ended, ended.stderr).toMatchObject({ code: 0 })
    expect(ended.stdout).toMatch(/│ before tok-12345\n {2}│ after\n/)
    const [row] = await ws.json("history api")
    expect(row.logs).not.toContain("tok-12345")
    expect(row.steps.map((step: any) => step.step)).toEqual(["pre", "command", "post"])
    const shown = await ws.succeed(`history show ${row.id.slice(0, 18)}`)
    expect(shown).toMatch(/outcome +success \(unverified\)/)
    expect(shown).toMatch(new RegExp(`version +${v1.slice(0, 12)} → ${v2.slice(0, 12)}`))
    expect(shown).toMatch(/by +\S+@\S+\n[\s\S]*before +done, [\s\S]*command +done, [\s\S]*after +done, /)
    expect(shown).toMatch(/ {2}log\n {4}before \[hidden\]\n {4}after\n$/)
    expect(await ws.json(`history show ${row.id}`)).toMatchObject({
      id: row.id,
      whole: true,
      machine: expect.any(String),
    })
    expect((await ws.run("history show 0000aaaa")).code).toBe(1)
  })

  it("a plan shows the function around git, the commits and the way", async () => {
    const plan = await ws.run(`deploy api --version ${v1} --plan`)
    expect(plan, plan.stderr).toMatchObject({ code: 0 })
    expect(plan.stdout).toMatch(new RegExp(`from +${v2.slice(0, 12)}\n +to +${v1.slice(0, 12)}`))
    expect(plan.stdout).toMatch(/deploy command\n {4}git\(\) \{\n {6}if \[ "\$1" = pull \]/)
    expect(plan.stdout).toMatch(/1 commit taken away\n {4}[0-9a-f]+ the second\n/)
    expect(plan.stdout).toContain("✓ nothing was changed")
  })

  it("what fails is rolled back where that is wanted, and said so", async () => {
    await ws.succeed(["service", "update", "api", "--pre", "", "--post", "test ! -e bad"])
    writeFileSync(join(origin, "bad"), "")
    commit("the bad one")
    const ended = await ws.run("deploy api --auto-rollback", { env: { TOKEN: "tok-12345" } })
    expect(ended.code).toBe(1)
    expect(ended.stderr).toMatch(
      /^error: the deploy of here\/api failed: the post command exited with 1; it was rolled back to/,
    )
    expect(ended.stdout).toMatch(/→ rolling back to [0-9a-f]{12}\n/)
  })
})

it("help and completions know the verbs beside the default", async () => {
  const help = (await context(["infra", "deploy", "--help"])).stdout
  expect(help).toMatch(
    /Usage:\n {2}context infra deploy \[<service>…\] \[options\]\n {2}context infra deploy <command>/,
  )
  expect(help).toMatch(/Commands:\n {2}attach/)
  expect(help).toMatch(/--take-over/)
  expect((await context(["infra", "deploy", "lock", "--help"])).stdout).toMatch(/-m, --message <text>/)
  expect((await context(["infra", "history", "--help"])).stdout).toMatch(/Commands:\n {2}show/)
  const script = (await context(["--completions", "bash"])).stdout
  expect(script).toMatch(/attach/)
  expect(script).toMatch(/--batch/)
})
