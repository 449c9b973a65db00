/**
 * Before and after every test the event loop turns once. What is tested here works without pause on a local file, so a file of
 * tests may keep the loop busy for more than a minute; vitest takes it for dead then and fails the run, with every test green.
 */
import { setImmediate as turn } from "node:timers/promises"
import { afterEach, beforeEach } from "vitest"

beforeEach(() => turn())
afterEach(() => turn())
