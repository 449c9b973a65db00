/** A door before a libSQL server, which holds back what is pushed until the test opens it, and delays the rest. */
import { createServer, type IncomingMessage, request } from "node:http"

export interface Gate {
  readonly url: string
  /** Milliseconds before a request goes on. */
  delay: number
  /** Settles when the first push has come. */
  readonly pushing: Promise<void>
  /** Lets pushes through from now on. */
  readonly open: () => void
  readonly close: () => Promise<void>
}

export const openGate = async (port: number): Promise<Gate> => {
  const pushed = settler()
  const opened = settler()
  const server = createServer(async (incoming, answer) => {
    const body = await read(incoming)
    if (gate.delay > 0) await new Promise((resolve) => setTimeout(resolve, gate.delay))
    if (body.includes("INSERT INTO events")) {
      pushed.settle()
      await opened.promise
    }
    const { headers, method, url } = incoming
    const onward = request({ port, host: "127.0.0.1", path: url, method, headers }, (answered) => {
      answer.writeHead(answered.statusCode ?? 502, answered.headers)
      answered.pipe(answer)
    })
    onward.on("error", () => answer.destroy())
    onward.end(body)
  })
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  const gate: Gate = {
    url: `http://127.0.0.1:${(server.address() as { port: number }).port}`,
    delay: 0,
    pushing: pushed.promise,
    open: opened.settle,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
  return gate
}

const settler = () => {
  let settle = () => {}
  const promise = new Promise<void>((resolve) => {
    settle = resolve
  })
  return { promise, settle }
}

const read = async (incoming: IncomingMessage): Promise<Buffer> => {
  const chunks: Array<Buffer> = []
  for await (const chunk of incoming) chunks.push(chunk)
  return Buffer.concat(chunks)
}
