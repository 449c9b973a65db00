/** The licences of what a bundle took in: they ask to go along with it. */
import { readdirSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"

const root = fileURLToPath(new URL("../..", import.meta.url))

/** Writes them beside the bundle, as `<bundle>.LICENSES.txt`. */
export const noticesOf = (metafile, outfile) => {
  const folders = new Set(
    Object.keys(metafile.inputs)
      .map(packageOf)
      .filter((folder) => folder !== undefined),
  )
  const notices = [...folders].sort().map((folder) => {
    const { license, name, version } = JSON.parse(readFileSync(join(root, folder, "package.json"), "utf8"))
    const file = readdirSync(join(root, folder)).find((one) => /^(licen[cs]e|copying)/i.test(one))
    const text = file === undefined ? "" : `\n\n${readFileSync(join(root, folder, file), "utf8").trim()}`
    return `${name} ${version} (${license ?? "licence below"})${text}\n`
  })
  writeFileSync(`${outfile}.LICENSES.txt`, notices.join(`\n${"-".repeat(80)}\n\n`))
}

/** The folder of the package that a file is of, whatever a plugin put around its path; `undefined` for our own. */
const packageOf = (input) => {
  const [, folder] = /^(?:[a-z-]+:)?(.*node_modules\/(?:@[^/]+\/)?[^/]+)\//.exec(input) ?? []
  return folder
}
