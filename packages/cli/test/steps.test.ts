/** What is said of a deployment's steps, and how often. */
import type { DeployStep } from "@context-engine/core/services/Deployer"
import * as Effect from "effect/Effect"
import { expect, it } from "vitest"
import { makeSteps } from "../src/steps.js"

const told = (...steps: ReadonlyArray<readonly [step: DeployStep, detail?: string]>) => {
  const headings: Array<string> = []
  const labels: Array<string> = []
  const tell = makeSteps(
    (text) => Effect.sync(() => void headings.push(text)),
    (text) => Effect.sync(() => void labels.push(text)),
  )
  for (const [step, detail] of steps) Effect.runSync(tell(step, detail))
  return { headings, labels }
}

it("a break of the link is one line, and every try a change of the progress line", () => {
  const { headings, labels } = told(
    ["command"],
    ["reconnecting", "refused"],
    ["reconnecting", "refused"],
    ["connected"],
    ["reconnecting", "lost"],
    ["connected"],
    ["health"],
    ["done"],
  )
  const down = ["the link is down; the deploy goes on there", "connected again"]
  expect(headings).toEqual(["running the deploy command", ...down, ...down, "waiting until it is healthy"])
  expect(labels).toEqual([
    "running the deploy command",
    "the link is down, try 1 (refused)",
    "the link is down, try 2 (refused)",
    "running the deploy command",
    "the link is down, try 1 (lost)",
    "running the deploy command",
    "waiting until it is healthy",
  ])
})

it("whoever waits is told once for whom", () => {
  expect(told(["waiting", "ada@a"], ["waiting", "ada@a"], ["waiting", "bob@b"]).headings).toEqual([
    "waiting for the lock of ada@a",
    "waiting for the lock of bob@b",
  ])
})

it("a rollback says where to, or why not", () => {
  const sha = "a1b2c3d4e5f6a7b8c9d0e1f2a3b4c5d6e7f8a9b0"
  expect(told(["rollback", sha], ["rollback", "not possible: nothing there"]).headings).toEqual([
    "rolling back to a1b2c3d4e5f6",
    "rolling back is not possible: nothing there",
  ])
})
