/** A name server on loopback that knows a few names, and keeps silent about those it is told to. */
import { createSocket } from "node:dgram"
import type { AddressInfo } from "node:net"

/** The records of a name. `silent`: no answer at all. */
export interface Records {
  readonly a?: ReadonlyArray<string>
  readonly aaaa?: ReadonlyArray<string>
  readonly cname?: string
  readonly silent?: boolean
}

const types = { a: 1, cname: 5, aaaa: 28 } as const

/** Starts it; `address` is what a resolver is given. `asked` are the names it was asked about, once a question. */
export const startDns = async (names: Readonly<Record<string, Records>>) => {
  const asked: Array<string> = []
  const socket = createSocket("udp4").on("message", (query, from) => {
    const { end, name, type } = questionOf(query)
    asked.push(name)
    const found = names[name]
    if (found?.silent) return
    const answers = found === undefined ? [] : answersOf(found, type)
    const header = Buffer.alloc(12)
    query.copy(header, 0, 0, 2)
    header.writeUInt16BE(found === undefined ? 0x8183 : 0x8180, 2)
    header.writeUInt16BE(1, 4)
    header.writeUInt16BE(answers.length, 6)
    socket.send(Buffer.concat([header, query.subarray(12, end), ...answers]), from.port, from.address)
  })
  await new Promise<void>((done) => socket.bind(0, "127.0.0.1", done))
  return {
    address: `127.0.0.1:${(socket.address() as AddressInfo).port}`,
    asked,
    stop: () => new Promise<void>((done) => socket.close(() => done())),
  }
}

const questionOf = (query: Buffer) => {
  const labels: Array<string> = []
  let at = 12
  for (let length = query[at] as number; length > 0; length = query[at] as number) {
    labels.push(query.toString("latin1", at + 1, at + 1 + length))
    at += 1 + length
  }
  return { name: labels.join(".").toLowerCase(), type: query.readUInt16BE(at + 1), end: at + 5 }
}

const answersOf = ({ a = [], aaaa = [], cname }: Records, type: number): ReadonlyArray<Buffer> => {
  const alias = cname === undefined ? [] : [record(types.cname, nameOf(cname))]
  if (type === types.cname) return alias
  if (type === types.a) return [...alias, ...a.map((one) => record(types.a, Buffer.from(one.split(".").map(Number))))]
  return type === types.aaaa
    ? [...alias, ...aaaa.map((one) => record(types.aaaa, Buffer.from(one.replaceAll(":", ""), "hex")))]
    : []
}

/** The name is the one that was asked about. */
const record = (type: number, data: Buffer): Buffer => {
  const head = Buffer.from([0xc0, 0x0c, 0, type, 0, 1, 0, 0, 0, 60, 0, data.length])
  return Buffer.concat([head, data])
}

const nameOf = (name: string): Buffer =>
  Buffer.concat([
    ...name.split(".").map((label) => Buffer.from([label.length, ...Buffer.from(label)])),
    Buffer.from([0]),
  ])
