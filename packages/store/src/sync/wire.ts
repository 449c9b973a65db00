/** Requests to one server: bounded in size, never sent anywhere else. */

/** More than any page: of what a server sends beyond it nothing is read. */
const mostBytes = 32 * 2 ** 20

/** The way there failed, or the way back. */
export class NetworkFailure extends Error {
  override readonly name = "NetworkFailure"
}

/** It answers, but in a way that is not gone along with. */
export class Unacceptable extends Error {
  override readonly name = "Unacceptable"

  constructor(
    message: string,
    /** Of HTTP, where it is that which none has. */
    readonly status?: number,
  ) {
    super(message)
  }
}

/**
 * `fetch` for a client of one server. An answer is read whole before the client sees it, so that whoever ends the request ends
 * its body, too. The client carries the token: to another place than the first it does not go, whatever an answer says.
 */
export const wire = (signal: () => AbortSignal | undefined): ((request: Request) => Promise<Response>) => {
  let origin: string | undefined
  return async (request) => {
    const to = new URL(request.url).origin
    origin ??= to
    if (to !== origin) throw new Unacceptable(`it names another server (${to}), which the token is not sent to`)
    const response = await onTheWay(() => fetch(request, { redirect: "manual", signal: signal() ?? null }))
    if (response.status >= 300 && response.status < 400) {
      const where = response.headers.get("location") ?? "nowhere"
      await response.body?.cancel()
      throw new Unacceptable(`it redirects to ${where.slice(0, 200)}, which the token is not sent to`)
    }
    const { headers, status } = response
    if (status > 599) throw new Unacceptable("it answers with a status that HTTP does not have", status)
    const body = await whole(response)
    return new Response(body.length === 0 ? null : body, { headers, status })
  }
}

const whole = async ({ body }: Response): Promise<Uint8Array<ArrayBuffer>> => {
  const chunks: Array<Uint8Array> = []
  let size = 0
  const reader = body?.getReader()
  for (;;) {
    const read = await onTheWay(async () => reader?.read())
    if (read?.value === undefined) return Buffer.concat(chunks)
    size += read.value.length
    if (size > mostBytes) {
      await reader?.cancel().catch(() => {})
      throw new Unacceptable(`its answer is longer than ${mostBytes / 2 ** 20} MB`)
    }
    chunks.push(read.value)
  }
}

const onTheWay = async <A>(step: () => Promise<A>): Promise<A> => {
  try {
    return await step()
  } catch (cause) {
    throw new NetworkFailure("the connection failed", { cause })
  }
}
