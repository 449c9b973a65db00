/** What a run uses of the program. The launcher makes its code cache anew for what no run had used when it was made. */

const key = Symbol.for("context.used")

/** Notes a part of the program, by a name without commas and line ends. */
export const uses = (part: string): void => {
  const used = (globalThis as { readonly [key]?: Set<string> })[key]
  used?.add(part)
}
