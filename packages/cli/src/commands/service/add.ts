/** `context infra service add <name>` */
import { leaf } from "../../leaf.js"
import { argument, required } from "../../options.js"
import { withRegistry } from "../../runtime.js"
import { fieldOptions, fieldsOf } from "./fields.js"
import { settingsOf } from "./settings.js"

export const add = leaf({
  name: "add",
  description: "Registers a service on a server.",
  examples: [
    'service add api --server myserver --type app --port 3000 --health /health --project /opt/apps/api --deploy "cd /opt/apps/api && git pull && bun run build && pm2 restart api"',
  ],
  args: { name: argument("name", "What to call it; unique on its server") },
  options: { server: required("server", "server", "The server it runs on"), ...fieldOptions },
  run: (given) =>
    withRegistry(given, ({ services }) =>
      services.add({ name: given.name, server: given.server, ...fieldsOf(given), ...settingsOf(given, null) }),
    ),
  said: (row) => `added service ${row.server}/${row.name}`,
})
