/** The log and its read models in a local libSQL file. */
export { Database } from "./Database.js"
export { OwnSchema } from "./fileSchema.js"
export { layer } from "./layer.js"
