import { crowd } from "/work/main/packages/store/test/durability/crowd.js"
import { inSetting, summary } from "/work/main/packages/store/test/durability/setting.js"

const [w, r, n] = process.argv.slice(2).map(Number)
process.env.TMPDIR = process.argv[5] ?? "/tmp"
await inSetting(async (s) => {
  const x = await crowd({ ...s, writers: w!, readers: r!, appendsEach: n! })
  console.log(
    w,
    r,
    n,
    summary(x.latencies),
    x.perSecond.toFixed(0) + "/s",
    x.reads,
    x.problems.length,
    x.wrongReads.length,
  )
  const { children } = { children: process.resourceUsage() }
})
