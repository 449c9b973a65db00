// In the place of vitest: what supports the tests also supports the benches, and asks for these as it is loaded.
export const describe = Object.assign(() => {}, { skip: () => {} })
export const it = () => {}
export const [beforeEach, afterEach, afterAll] = [() => {}, () => {}, () => {}]
