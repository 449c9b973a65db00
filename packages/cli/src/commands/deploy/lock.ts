/** `context infra deploy lock <service>` and `unlock` */
import { leaf } from "../../leaf.js"
import { argument, connecting, flag, required, short } from "../../options.js"
import { withDeployer } from "../../runtime.js"
import { progress } from "../../terminal.js"

const service = argument("service", "The service: api, or myserver/api")

export const lock = leaf({
  name: "lock",
  description: "Keeps everybody from deploying a service, by a lock on its server that only a person releases.",
  examples: ['deploy lock api -m "migrating the database"'],
  args: { service },
  options: {
    ...connecting,
    message: short("m", required("message", "text", "Why, for whoever finds it locked")),
    takeOver: flag("take-over", "Take the lock of a deployment that is gone"),
  },
  run: (given) =>
    withDeployer(given, (deployer) =>
      deployer
        .lock(given.service, { reason: given.message, takeOver: given.takeOver })
        .pipe(progress(`locking ${given.service}`)),
    ),
  said: ({ counter, service }) =>
    `locked ${service} (lock ${counter}); nobody deploys it before: context infra deploy unlock ${service}`,
})

export const unlock = leaf({
  name: "unlock",
  description: "Releases the lock that was taken by hand.",
  examples: ["deploy unlock api"],
  args: { service },
  options: connecting,
  run: (given) =>
    withDeployer(given, (deployer) => deployer.unlock(given.service).pipe(progress(`unlocking ${given.service}`))),
  said: ({ service }) => `unlocked ${service}`,
})
