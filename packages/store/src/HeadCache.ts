/** What the last append left behind, so that the next need not read it back: rows, and the versions of streams. */

export type Row = Record<string, unknown>

/** More rows than this of one view, or streams, are not worth keeping: reading one back is cheap, too. */
const most = 5_000

/**
 * What is known of a log at one event, named by its hash: it is right as long as that event is the last. If another process
 * wrote, or a transaction was undone, the hashes differ and everything is forgotten.
 */
export class HeadCache {
  #head = ""
  #views = new Map<string, Map<string, Row>>()
  #versions = new Map<string, number>()

  /** To be called before a fold, with the hash of the last event. */
  begin(head: string): void {
    if (head === this.#head) return
    this.#views.clear()
    this.#versions.clear()
    this.#head = head
  }

  /** To be called after a fold, with the rows it wrote (`undefined` for those that are gone) and the hash of its last event. */
  end(head: string, written: ReadonlyMap<string, ReadonlyMap<string, Row | undefined>>): void {
    this.#head = head
    for (const [view, rows] of written) {
      const kept = this.#of(view)
      for (const [id, row] of rows) {
        if (row === undefined) kept.delete(id)
        else kept.set(id, row)
      }
      if (kept.size > most) kept.clear()
    }
  }

  /** To be called when the fold is done, with the versions that streams have now. */
  keepVersions(versions: ReadonlyMap<string, number>): void {
    for (const [stream, version] of versions) this.#versions.set(stream, version)
    if (this.#versions.size > most) this.#versions.clear()
  }

  versionOf(stream: string): number | undefined {
    return this.#versions.get(stream)
  }

  get(view: string, id: string): Row | undefined {
    return this.#views.get(view)?.get(id)
  }

  #of(view: string): Map<string, Row> {
    const rows = this.#views.get(view) ?? new Map<string, Row>()
    this.#views.set(view, rows)
    return rows
  }
}
