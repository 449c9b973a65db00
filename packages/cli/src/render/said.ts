/** Long advice is given once on a screen: whoever reads it again looks for the difference. */

export const asAbove = "the same as above leads on"

/** Above so many characters it is not worth saying again. */
const short = 60

/** Whether what leads on was said in full before. */
export const isSaid = (next: string, before: ReadonlyArray<string>): boolean =>
  next.length > short && before.some((text) => text.includes(next))
