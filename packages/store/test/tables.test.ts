import { projections } from "@context-engine/core/views/all"
import { expect, it } from "vitest"
import { tables } from "../src/tables.js"

it("every view has a table of its version", () => {
  const versions = (all: ReadonlyArray<{ name: string; version: number }>) =>
    all.map(({ name, version }) => `${name} ${version}`).sort()
  expect(versions(tables)).toEqual(versions(projections))
})

it("a row survives the way through its columns", () => {
  for (const table of tables) {
    expect(table.columns[0]?.column).toBe("id")
    expect(new Set(table.columns.map(({ column }) => column)).size).toBe(table.columns.length)
    expect(table.encode({}).every((value) => value === null)).toBe(true)
  }
})
