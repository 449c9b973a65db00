/** Rows as a table where it fits, and one below the other where it does not. */
import { safe } from "./safe.js"
import { cut, pad, paint, type Screen, type Style, width, wrap } from "./text.js"

/** What stands in a cell. Text is made safe here, so that no renderer can forget it. */
export type Cell = string | number | null | undefined | { readonly text: string; readonly style: Style | undefined }

export interface Column<Row> {
  readonly title: string
  readonly cell: (row: Row) => Cell
  /** Numbers stand to the right. */
  readonly right?: boolean
  /** May be narrower than its text: the last column then goes on below itself, others are cut. */
  readonly flexible?: boolean
}

interface Shown {
  readonly text: string
  readonly style: Style | undefined
}

/** How narrow a flexible column may become. */
const narrowest = 20
const gap = 2

/** A table; columns in which nothing stands are left out. */
export const table = <Row>(screen: Screen, columns: ReadonlyArray<Column<Row>>, rows: ReadonlyArray<Row>): string => {
  const cells = rows.map((row) => columns.map((column) => show(column.cell(row))))
  const used = columns.map((_, index) => index === 0 || cells.some((line) => line[index]?.text !== ""))
  const kept = <A>(line: ReadonlyArray<A>) => line.filter((_, index) => used[index])
  const widths = fit(screen, kept(columns), cells.map(kept))
  return widths === undefined
    ? stacked(screen, kept(columns), cells.map(kept))
    : lines(screen, kept(columns), cells.map(kept), widths)
}

/** Names and values, one a line; values that are not there are left out. */
export const block = (
  screen: Screen,
  title: Cell,
  pairs: ReadonlyArray<readonly [name: string, value: Cell]>,
): string => {
  const shown = pairs.map(([name, value]) => [name, show(value)] as const).filter(([, value]) => value.text !== "")
  const longest = Math.max(0, ...shown.map(([name]) => name.length))
  return [
    paint(screen, "strong", show(title).text),
    ...shown.flatMap(([name, value]) => entry(screen, pad(name, longest), value)),
  ].join("\n")
}

const show = (cell: Cell): Shown => {
  if (cell === null || cell === undefined) return { text: "", style: undefined }
  if (typeof cell === "object") return { text: safe(cell.text), style: cell.style }
  return { text: safe(String(cell)), style: undefined }
}

/** The columns' widths, or `undefined` where they do not fit. */
const fit = (
  screen: Screen,
  columns: ReadonlyArray<Column<any>>,
  cells: ReadonlyArray<ReadonlyArray<Shown>>,
): ReadonlyArray<number> | undefined => {
  const natural = columns.map((column, index) =>
    Math.max(width(column.title), ...cells.map((line) => width(line[index]?.text ?? ""))),
  )
  let over = natural.reduce((sum, cells) => sum + cells + gap, -gap) - screen.columns
  if (over <= 0) return natural
  const widths = natural.map((cells, index) => {
    const spare = columns[index]?.flexible ? Math.min(Math.max(0, cells - narrowest), Math.max(0, over)) : 0
    over -= spare
    return cells - spare
  })
  return over <= 0 ? widths : undefined
}

const lines = (
  screen: Screen,
  columns: ReadonlyArray<Column<any>>,
  cells: ReadonlyArray<ReadonlyArray<Shown>>,
  widths: ReadonlyArray<number>,
): string => {
  const last = columns.length - 1
  const indent = " ".repeat(widths.slice(0, last).reduce((sum, size) => sum + size + gap, 0))
  const line = (shown: ReadonlyArray<Shown>) => {
    const { style, text } = shown[last] as Shown
    const [first = "", ...more] = columns[last]?.right ? [text] : wrap(text, widths[last] as number)
    const fitted = shown.map((cell, index) => {
      const size = widths[index] as number
      const own = index === last ? first : cut(cell.text, size)
      // Only the text is coloured, so the spaces around it are counted right.
      return pad(own, size, columns[index]?.right).replace(own, () => paint(screen, cell.style, own))
    })
    return [fitted.join(" ".repeat(gap)).trimEnd(), ...more.map((text) => indent + paint(screen, style, text))].join(
      "\n",
    )
  }
  const head = columns.map((column) => ({ text: column.title.toUpperCase(), style: "faint" as const }))
  return [line(head), ...cells.map(line)].join("\n")
}

const stacked = (
  screen: Screen,
  columns: ReadonlyArray<Column<any>>,
  cells: ReadonlyArray<ReadonlyArray<Shown>>,
): string => {
  const longest = Math.max(...columns.slice(1).map((column) => column.title.length), 0)
  return cells
    .map(([first, ...rest]) =>
      [
        ...wrap(first?.text ?? "", screen.columns).map((text) => paint(screen, "strong", text)),
        ...rest.flatMap((value, index) =>
          value.text === "" ? [] : entry(screen, pad(columns[index + 1]?.title ?? "", longest), value),
        ),
      ].join("\n"),
    )
    .join("\n\n")
}

const entry = (screen: Screen, name: string, value: Shown): ReadonlyArray<string> => {
  const indent = `  ${" ".repeat(name.length)}  `
  const [first, ...more] = wrap(value.text, Math.max(10, screen.columns - indent.length))
  return [
    `  ${paint(screen, "faint", name)}  ${paint(screen, value.style, first ?? "")}`,
    ...more.map((text) => `${indent}${paint(screen, value.style, text)}`),
  ]
}
