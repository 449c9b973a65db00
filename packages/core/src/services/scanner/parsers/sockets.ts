/** Sockets that listen, as `ss`, `netstat`, `lsof` and /proc/net/tcp print them over the years. Pure; never throws. */
import type { Socket } from "../types.js"
import { pid, port, token } from "../words.js"
import { unitOf } from "./processes.js"

const most = 5_000

export const parseSockets = (text: string): ReadonlyArray<Socket> => {
  const found = new Map<string, Socket>()
  for (const raw of text.split("\n")) {
    const socket = read(raw.trim().slice(0, 5_000))
    if (socket === undefined || found.size >= most) continue
    const key = `${socket.address} ${socket.port} ${socket.pid ?? ""}`
    if (!found.has(key)) found.set(key, socket)
  }
  return [...found.values()]
}

const read = (line: string): Socket | undefined => {
  if (line === "") return undefined
  if (/^\d+: [0-9A-Fa-f]/.test(line)) return fromProc(line)
  const words = line.split(/\s+/)
  if (words[0] === "LISTEN" || (words[0] === "tcp" && words[1] === "LISTEN")) return fromSs(words, line)
  if (/^tcp/.test(words[0] as string)) return fromNetstat(words)
  return line.endsWith("(LISTEN)") ? fromLsof(words) : undefined
}

/** `LISTEN 0 511 *:80 *:* users:(("nginx",pid=812,fd=6)) … cgroup:/system.slice/nginx.service`; older: `("nginx",812,6)`. */
const fromSs = (words: ReadonlyArray<string>, line: string): Socket | undefined => {
  const local = words.slice(words[0] === "LISTEN" ? 3 : 4).find((word) => /:\d+$/.test(word))
  const user = /users:\(\("((?:[^"\\]|\\.){0,100})",(?:pid=)?(\d+)/.exec(line)
  const group = /\bcgroup:(\/\S*)/.exec(line)?.[1]
  return socket(local, user?.[2], user?.[1], group === undefined ? undefined : unitOf(group))
}

/** `tcp6 0 0 :::22 :::* LISTEN 700/sshd: /usr/sbin`; on macOS `tcp4 0 0 127.0.0.1.5432 *.* LISTEN`. */
const fromNetstat = (words: ReadonlyArray<string>): Socket | undefined => {
  const state = words.indexOf("LISTEN")
  if (state < 4) return undefined
  const local = words[3]?.replace(/^(.*)\.(\d+|\*)$/, (whole, host, last) =>
    whole.includes(":") ? whole : `${host}:${last}`,
  )
  const program = words.slice(state + 1).find((word) => /^\d+\//.test(word))
  const [number, name] = program?.split("/") ?? []
  return socket(local, number, name?.replace(/:$/, ""))
}

/** `node 1234 ada 23u IPv6 0x… 0t0 TCP *:3000 (LISTEN)` */
const fromLsof = (words: ReadonlyArray<string>): Socket | undefined =>
  socket(words.at(-2), words[1], words[0]?.replaceAll("\\x20", " "))

/** `0: 0100007F:1F90 00000000:0000 0A …`: addresses in hexadecimal, each group of four bytes backwards; 0A listens. */
const fromProc = (line: string): Socket | undefined => {
  const [, local = "", , state] = line.split(/\s+/)
  const [address = "", number = ""] = local.split(":")
  if (state !== "0A" || !/^(?:[0-9A-Fa-f]{8}|[0-9A-Fa-f]{32})$/.test(address)) return undefined
  const groups = address.match(/.{8}/g) ?? []
  const bytes = groups.flatMap((group) => (group.match(/../g) ?? []).reverse()).map((byte) => Number.parseInt(byte, 16))
  const host = bytes.length === 4 ? bytes.join(".") : ipv6(bytes)
  return socket(`${host}:${Number.parseInt(number, 16)}`, undefined, undefined)
}

const ipv6 = (bytes: ReadonlyArray<number>): string => {
  if (bytes.every((byte) => byte === 0)) return "::"
  if (bytes.slice(0, 15).every((byte) => byte === 0) && bytes[15] === 1) return "::1"
  const groups = Array.from({ length: 8 }, (_, i) => ((bytes[2 * i] ?? 0) * 256 + (bytes[2 * i + 1] ?? 0)).toString(16))
  return groups.join(":")
}

const socket = (
  local: string | undefined,
  process: string | undefined,
  name: string | undefined,
  unit?: string | undefined,
): Socket | undefined => {
  const colon = local?.lastIndexOf(":") ?? -1
  const number = port(local?.slice(colon + 1))
  if (local === undefined || colon < 0 || number === undefined) return undefined
  // `%lo` is an interface. Any address is written `*` by some, and `[::]` or nothing by others.
  const host = local
    .slice(0, colon)
    .replace(/^\[|\]$/g, "")
    .replace(/%.*$/, "")
    .replace(/\]$/, "")
  const address = host === "" || host === "*" ? "*" : token(host, 60)
  if (address === undefined) return undefined
  return { address, port: number, pid: pid(process), process: token(name?.split(" ")[0], 60), unit }
}
