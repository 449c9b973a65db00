/** A sync server that lies: it stands before a real one, and changes what that answers, or how. */
import { createServer, type ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"

/** A value as Hrana writes it in JSON: what `@libsql/client/http` reads. */
export type Value = { type: string; value?: unknown; base64?: string }
export interface Result {
  rows: Array<Array<Value>>
  cols: Array<unknown>
}

/** An answer to an exchange, to be changed in place. */
export interface Told {
  /** Everything that is sent. */
  readonly body: { baton: unknown; base_url: unknown; results: Array<any> }
  /** One result a statement, `BEGIN` and `COMMIT` around them. */
  readonly steps: Array<Result | null>
  readonly state: Result
  readonly taken: Result
  readonly rows: Result
}

export interface Lie {
  /** Changes the answer to an exchange. */
  readonly told?: (told: Told) => void
  /** Sends an answer of its own in the place of any. */
  readonly sent?: (response: ServerResponse) => void
}

export interface Liar {
  readonly url: string
  lie: Lie
  /** How many requests came. */
  requests: number
  readonly close: () => Promise<void>
}

export const integer = (value: number | string): Value => ({ type: "integer", value: String(value) })
export const text = (value: string): Value => ({ type: "text", value })

/** A server before the one at a URL. It is honest until it is told to lie. */
export const startLiar = async (honest: string): Promise<Liar> => {
  const server = createServer(async (request, response) => {
    liar.requests += 1
    if (liar.lie.sent !== undefined) return liar.lie.sent(response)
    const chunks: Array<Buffer> = []
    for await (const chunk of request) chunks.push(chunk)
    const { authorization = "" } = request.headers
    const answer = await fetch(`${honest}${request.url}`, {
      method: request.method ?? "GET",
      headers: { authorization, "content-type": "application/json" },
      ...(chunks.length === 0 ? {} : { body: Buffer.concat(chunks) }),
    })
    const said = await answer.text()
    response.writeHead(answer.status, { "content-type": "application/json" })
    response.end(answer.ok ? changed(said, liar.lie) : said)
  })
  const liar: Liar = {
    url: "",
    lie: {},
    requests: 0,
    close: () =>
      new Promise((closed) => {
        server.closeAllConnections()
        server.close(() => closed())
      }),
  }
  await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening))
  return Object.assign(liar, { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` })
}

const changed = (said: string, { told }: Lie): string => {
  if (told === undefined) return said
  const body = JSON.parse(said)
  const batch = body.results.find((one: any) => one.response?.type === "batch")
  const steps: Told["steps"] = batch?.response.result.step_results ?? []
  const [state, taken, rows] = steps.slice(-5, -2)
  // A survey has no third question: only exchanges are lied about.
  if (state?.cols.length === 5 && taken?.cols.length === 2 && rows) told({ body, steps, state, taken, rows } as Told)
  return JSON.stringify(body)
}
