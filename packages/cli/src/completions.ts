/** Completion scripts for shells, which @effect/cli writes. */
import * as Command from "@effect/cli/Command"
import * as NodeContext from "@effect/platform-node/NodeContext"
import * as Effect from "effect/Effect"
import { type Branch, isBranch, isGroup } from "./branch.js"
import type { Leaf } from "./leaf.js"
import { nouns } from "./nouns.js"

type AnyCommand = Command.Command<any, NodeContext.NodeContext, unknown, any>

/** Prints the script for the shell that `argv` names: `--completions bash`. */
export const completions = (argv: ReadonlyArray<string>, version: string): Effect.Effect<void, unknown> =>
  Effect.flatMap(tree, (root) =>
    Command.run(root, { name: "context", version })(["node", "context", ...argv]).pipe(
      Effect.provide(NodeContext.layer),
    ),
  )

const tree = Effect.map(
  Effect.forEach(nouns, (noun) =>
    Effect.map(Effect.promise(noun.load), (found) =>
      isBranch(found)
        ? branch(found)
        : isGroup(found)
          ? group(noun.name, noun.description, found.map(command))
          : command(found),
    ),
  ),
  (commands) => group("context", "", [group("infra", "", commands)]),
)

const command = (leaf: Leaf): AnyCommand =>
  Command.make(leaf.name, { ...leaf.args, ...leaf.options } as Command.Command.Config).pipe(
    Command.withDescription(leaf.description),
  ) as never

const branch = ({ own, verbs }: Branch): AnyCommand =>
  command(own).pipe(Command.withSubcommands(verbs.map(command) as never)) as never

const group = (name: string, description: string, commands: ReadonlyArray<AnyCommand>): AnyCommand =>
  Command.make(name).pipe(Command.withDescription(description), Command.withSubcommands(commands as never)) as never
