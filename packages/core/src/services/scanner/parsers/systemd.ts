/** Services of systemd, from `systemctl show` (properties) or `systemctl list-units` (a table). Pure; never throws. */
import type { Unit } from "../types.js"
import { path, pid, token, word } from "../words.js"

const most = 5_000

/** The properties that are asked for. Never `Environment`. */
export const unitProperties = [
  "Id",
  "Description",
  "LoadState",
  "ActiveState",
  "MainPID",
  "FragmentPath",
  "UnitFileState",
  "WorkingDirectory",
  "ExecStart",
  "Requires",
  "Wants",
] as const

export const parseUnits = (text: string): ReadonlyArray<Unit> => {
  const units: Array<Unit> = []
  let block: Map<string, string> = new Map()
  const close = () => {
    const unit = unitOf(block)
    if (unit !== undefined && units.length < most) units.push(unit)
    block = new Map()
  }
  for (const raw of text.split("\n")) {
    const line = raw.trim()
    const property = /^([A-Z][A-Za-z]*)=(.*)$/.exec(line)
    if (line === "") close()
    else if (property !== null) {
      // Some versions leave out the empty line between two units.
      if (property[1] === "Id" && block.has("Id")) close()
      // Of several ExecStart lines the first one that names a program counts.
      if (!block.get(property[1] as string)) block.set(property[1] as string, property[2] as string)
    } else {
      const unit = listed(line)
      if (unit !== undefined && units.length < most) units.push(unit)
    }
  }
  close()
  return units
}

const unitOf = (block: ReadonlyMap<string, string>): Unit | undefined => {
  const name = serviceName(block.get("Id"))
  if (name === undefined || block.get("LoadState") === "not-found") return undefined
  return {
    name,
    description: word(block.get("Description")),
    active: token(block.get("ActiveState"), 30),
    pid: pid(block.get("MainPID")),
    fragment: path(block.get("FragmentPath")),
    enabled: token(block.get("UnitFileState"), 30),
    // `!` and `-` before it say what happens when it is missing.
    directory: path(block.get("WorkingDirectory")?.replace(/^[!-]+/, "")),
    ...command(block.get("ExecStart") ?? ""),
    requires: services(block.get("Requires")),
    wants: services(block.get("Wants")),
  }
}

/** `{ path=/usr/bin/node ; argv[]=/usr/bin/node /srv/api/server.js --port 3000 ; ignore_errors=no ; … }` */
const command = (text: string): { readonly program?: string | undefined; readonly script?: string | undefined } => {
  const program = path(/\bpath=(\/[^\s;]*)/.exec(text.slice(0, 4_000))?.[1])
  const argv = /\bargv\[\]=(.*?)(?: ; |$)/.exec(text.slice(0, 4_000))?.[1] ?? ""
  const script = argv
    .split(" ")
    .slice(1, 4)
    .find(
      (argument) =>
        /^\/[\w./@+-]+$/.test(argument) || /^[\w./@+-]+\.(?:[cm]?[jt]s|py|rb|php|sh|jar|pl)$/.test(argument),
    )
  return { program, script: token(script) }
}

/** `● api.service loaded failed failed The API`; older ones have a header, and a dot or nothing in front. */
const listed = (line: string): Unit | undefined => {
  const found = /^(?:[^\w\s]\s+)?(\S+\.service)\s+(\S+)\s+(\S+)\s+\S+(?:\s+(.*))?$/.exec(line.slice(0, 1_000))
  const name = serviceName(found?.[1])
  if (found === null || name === undefined || found[2] === "not-found") return undefined
  return { name, description: word(found[4]), active: token(found[3], 30), requires: [], wants: [] }
}

const services = (text = ""): ReadonlyArray<string> =>
  text
    .slice(0, 10_000)
    .split(" ")
    .flatMap((one) => serviceName(one) ?? [])
    .slice(0, 100)

const serviceName = (text: string | undefined): string | undefined =>
  text?.endsWith(".service") && text.length > ".service".length ? token(text) : undefined
