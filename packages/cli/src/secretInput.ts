/** Reads a line from the terminal without showing it. */

export const readHidden = (question: string): Promise<string> =>
  new Promise((done) => {
    const { stdin, stderr } = process
    let text = ""
    const finish = () => {
      stdin.setRawMode(false).off("data", onData).pause()
      stderr.write("\n")
      done(text.trim())
    }
    const onData = (data: Buffer) => {
      for (const char of data.toString("utf8")) {
        if (char === "\r" || char === "\n" || char === "\u0004") return finish()
        if (char === "\u0003") {
          finish()
          process.kill(process.pid, "SIGINT")
          return
        }
        text = char === "\u007f" || char === "\b" ? text.slice(0, -1) : text + char
      }
    }
    stderr.write(question)
    stdin.setRawMode(true).on("data", onData).resume()
  })
