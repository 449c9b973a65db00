import { homedir } from "node:os"
import * as Ssh2 from "../../src/Remote/Ssh2.js"
import { describeSshd, startSshd } from "../support/sshd.js"
import { suite } from "./suite.js"

describeSshd("Ssh2", () => {
  suite("over sshd", async () => {
    const sshd = await startSshd({ env: { HOME: homedir() } })
    return { target: sshd.target(), layer: Ssh2.layer, dispose: sshd.dispose }
  })

  suite("over sshd behind a jump host", async () => {
    const jump = await startSshd({ env: { HOME: homedir() } })
    const sshd = await startSshd({ clientKey: jump.keyPath, env: { HOME: homedir() } })
    return {
      target: sshd.target("inner", jump),
      layer: Ssh2.layer,
      dispose: async () => {
        await sshd.dispose()
        await jump.dispose()
      },
    }
  })
})
