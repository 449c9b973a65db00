/**
 * A deadline that always fires. A signal of `AbortSignal.timeout` that only `AbortSignal.any` holds is collected as garbage in
 * Node 20, and its time never comes; here the timer holds what it ends, and is referenced for as long as that lasts.
 */

/** The time was over. */
export class DeadlineError extends Error {
  override readonly name = "DeadlineError"
  constructor(readonly milliseconds: number) {
    super(`no answer within ${milliseconds / 1000} s`)
  }
}

/**
 * Gives `use` a signal that ends it after so many milliseconds, or when `given` does. What `use` promises has to hold everything
 * that may take long: of an answer its body, too. Rejects by then at the latest, also where `use` does not heed the signal.
 */
export const withDeadline = <A>(
  milliseconds: number,
  given: AbortSignal,
  use: (signal: AbortSignal) => Promise<A>,
): Promise<A> =>
  new Promise((resolve, reject) => {
    const controller = new AbortController()
    const end = (reason: unknown) => {
      reject(reason)
      controller.abort(reason)
    }
    const onAbort = () => end(given.reason)
    const timer = setTimeout(() => end(new DeadlineError(milliseconds)), milliseconds)
    given.addEventListener("abort", onAbort, { once: true })
    if (given.aborted) onAbort()
    const settle = () => {
      clearTimeout(timer)
      given.removeEventListener("abort", onAbort)
    }
    use(controller.signal).then(resolve, reject).finally(settle)
  })
