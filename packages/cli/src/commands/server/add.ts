/** `context infra server add <name>` */
import { leaf } from "../../leaf.js"
import { argument, flag } from "../../options.js"
import { withRegistry } from "../../runtime.js"
import { fieldOptions, fieldsOf } from "./fields.js"

export const add = leaf({
  name: "add",
  description: "Registers a server.",
  examples: [
    'server add myserver --ip 192.168.1.10 --role homelab --ssh "user=deploy,port=22,key=~/.ssh/id_ed25519"',
    'server add db1 --ip 10.0.0.7 --ssh "user=deploy,jump=myserver" --tag postgres',
    "server add laptop --local",
  ],
  args: { name: argument("name", "What to call it") },
  options: { ...fieldOptions, local: flag("local", "It is this very machine: no SSH") },
  run: (given) =>
    withRegistry(given, ({ servers }) => servers.add({ name: given.name, local: given.local, ...fieldsOf(given) })),
  said: ({ name }) => `added server ${name}`,
})
