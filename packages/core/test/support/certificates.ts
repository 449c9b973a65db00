/** A certificate authority of a test's own, by openssl. */
import { execFileSync } from "node:child_process"
import { mkdtempSync, readFileSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { toolPath } from "./tools.js"

const newKey = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]

export const makeAuthority = () => {
  const directory = mkdtempSync(join(tmpdir(), "context-ca-"))
  const openssl = (...args: ReadonlyArray<string>) =>
    execFileSync(toolPath("openssl"), args, { cwd: directory, stdio: ["ignore", "ignore", "ignore"] })
  openssl(
    "req",
    "-x509",
    ...newKey,
    "-keyout",
    "ca.key",
    "-out",
    "ca.pem",
    "-subj",
    "/O=Test/CN=Authority",
    "-days",
    "365",
  )
  let n = 0
  return {
    ca: readFileSync(join(directory, "ca.pem"), "utf8"),
    /** A certificate for a name that is valid for so many days from now; with -1 it expired a day ago. */
    issue: (name: string, days: number) => {
      const file = `leaf${n++}`
      writeFileSync(join(directory, `${file}.ext`), `subjectAltName=DNS:${name}`)
      openssl("req", "-new", ...newKey, "-keyout", `${file}.key`, "-out", `${file}.csr`, "-subj", `/CN=${file}`)
      openssl(
        "x509",
        "-req",
        "-in",
        `${file}.csr`,
        "-CA",
        "ca.pem",
        "-CAkey",
        "ca.key",
        "-CAcreateserial",
        "-days",
        String(days),
        "-extfile",
        `${file}.ext`,
        "-out",
        `${file}.pem`,
      )
      const read = (suffix: string) => readFileSync(join(directory, `${file}.${suffix}`), "utf8")
      return { cert: read("pem"), key: read("key") }
    },
  }
}
