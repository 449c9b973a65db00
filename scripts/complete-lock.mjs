// Completes package-lock.json after `npm install`: npm leaves out optional packages for other platforms when the registry
// it asks does not have them all, and `npm ci` then refuses the lock. Each gets an entry that only says which platform it is
// for; npm never fetches it elsewhere. Run after every change of dependencies: `npm run lock`.
import { readFileSync, writeFileSync } from "node:fs"

const lock = JSON.parse(readFileSync("package-lock.json", "utf8"))
const systems = /(android|darwin|win32|windows|freebsd|openbsd|netbsd|sunos|aix|openharmony|linux)/
const processors = /(arm64|x64|ia32|arm|ppc64|riscv64|s390x|mips64el|loong64|wasm32)/
const added = []

for (const [parent, entry] of Object.entries(lock.packages)) {
  for (const [name, version] of Object.entries(entry.optionalDependencies ?? {})) {
    if (lock.packages[`${parent}/node_modules/${name}`] || lock.packages[`node_modules/${name}`]) continue
    const os = systems.exec(name)?.[1] ?? "other"
    const cpu = processors.exec(name)?.[1] ?? "other"
    const platform = { os: [os === "windows" ? "win32" : os], cpu: [cpu] }
    lock.packages[`node_modules/${name}`] = { version, optional: true, ...platform }
    added.push(name)
  }
}
lock.packages = Object.fromEntries(Object.entries(lock.packages).sort(([a], [b]) => (a < b ? -1 : 1)))
writeFileSync("package-lock.json", `${JSON.stringify(lock, null, 2)}\n`)
console.log(`${added.length} entries added${added.length === 0 ? "" : `: ${added.join(", ")}`}`)
