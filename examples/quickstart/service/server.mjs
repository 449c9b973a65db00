// A small HTTP service: says hello, and says at /health how it is.
import { createServer } from "node:http"

const version = "v1"

createServer((request, response) => {
  const healthy = request.url === "/health"
  response.writeHead(200, { "content-type": "text/plain" })
  response.end(healthy ? `ok ${version}\n` : `hello from ${version}\n`)
}).listen(Number(process.env.PORT), "127.0.0.1")
