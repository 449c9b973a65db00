/** `context infra deploy pin <service>` and `unpin` */
import { leaf } from "../../leaf.js"
import { argument, short, text } from "../../options.js"
import { version } from "../../render/units.js"
import { withDeployer } from "../../runtime.js"

const service = argument("service", "The service: api, or myserver/api")
const local = { acceptHostKey: false }

export const pin = leaf({
  name: "pin",
  description: "Keeps a service at the version it has: it is neither deployed nor rolled back until it is unpinned.",
  examples: ['deploy pin api -m "the customer demo is on Friday"'],
  args: { service },
  options: { message: short("m", text("message", "text", "Why, for whoever wants to deploy it")) },
  run: (given) => withDeployer({ ...given, ...local }, (deployer) => deployer.pin(given.service, given.message)),
  said: (pinned) => `pinned ${pinned.service}${pinned.version === null ? "" : ` at ${version(pinned.version)}`}`,
})

export const unpin = leaf({
  name: "unpin",
  description: "Lets a service be deployed again.",
  examples: ["deploy unpin api"],
  args: { service },
  run: (given) => withDeployer({ ...given, ...local }, (deployer) => deployer.unpin(given.service)),
  said: ({ service }) => `unpinned ${service}`,
})
