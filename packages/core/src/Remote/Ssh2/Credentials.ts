/** Finds the keys to log in with: the named file, or the agent and OpenSSH's default files. */
import { readFile } from "node:fs/promises"
import { join } from "node:path"
import * as Effect from "effect/Effect"
import ssh2, { type AnyAuthMethod, type ParsedKey } from "ssh2"
import { RemoteError } from "../../Errors.js"
import { clean } from "../Text.js"
import type { Hop } from "./Hop.js"
import type { Settings } from "./Options.js"

/** What is offered to a server, and how to name it in a message. */
export interface Credentials {
  readonly methods: ReadonlyArray<AnyAuthMethod>
  readonly described: string
}

/** Fails with `unreadable-key` when a key file is named and cannot be used. Unusable default files are passed over. */
export const credentials = (endpoint: Hop["endpoint"], settings: Settings): Effect.Effect<Credentials, RemoteError> =>
  endpoint.keyPath === undefined
    ? usual(endpoint.user, settings)
    : named(endpoint.user, endpoint.keyPath, `${endpoint.host}:${endpoint.port}`, settings)

type Key = { readonly _tag: "Key"; readonly key: ParsedKey } | { readonly _tag: "Unusable"; readonly problem: string }

const named = (user: string, keyPath: string, host: string, settings: Settings) =>
  Effect.flatMap(read(expand(keyPath, settings.home), clean(keyPath)), (found) =>
    found._tag === "Key"
      ? Effect.succeed({ methods: [publicKey(user, found.key)], described: clean(keyPath) })
      : Effect.fail(new RemoteError({ reason: "unreadable-key", host, message: found.problem })),
  )

const defaultFiles = ["id_ed25519", "id_ecdsa", "id_rsa"]

const usual = (user: string, settings: Settings): Effect.Effect<Credentials> =>
  Effect.gen(function* () {
    const agent = settings.agentSocket
    const found = yield* Effect.forEach(defaultFiles, (name) =>
      Effect.map(read(join(settings.home, ".ssh", name), name), (key) => ({ name: `~/.ssh/${name}`, key })),
    )
    const files = found.flatMap(({ name, key }) => (key._tag === "Key" ? [{ name, key: key.key }] : []))
    const sources = [...(agent === "" ? [] : ["the SSH agent"]), ...files.map((file) => file.name)]
    return {
      methods: [
        ...(agent === "" ? [] : [{ type: "agent" as const, username: user, agent }]),
        ...files.map((file) => publicKey(user, file.key)),
      ],
      described: sources.length > 0 ? sources.join(", ") : "no key: there is no SSH agent and no default key file",
    }
  })

const publicKey = (username: string, key: ParsedKey): AnyAuthMethod => ({ type: "publickey", username, key })

const expand = (path: string, home: string): string =>
  path === "~" || path.startsWith("~/") ? join(home, path.slice(1)) : path

const read = (path: string, shown: string): Effect.Effect<Key> =>
  Effect.tryPromise({ try: () => readFile(path), catch: (error) => error as NodeJS.ErrnoException }).pipe(
    Effect.match({
      onSuccess: (content) => parse(content, shown),
      onFailure: (error) => unusable(`the key file ${shown} cannot be read: ${reading(error)}`),
    }),
  )

const parse = (content: Buffer, shown: string): Key => {
  const key = ssh2.utils.parseKey(content)
  if (key instanceof Error) {
    return /encrypted/i.test(key.message)
      ? unusable(
          `the key ${shown} is protected by a passphrase: load it into the SSH agent (ssh-add ${shown}) and leave out the key path, or use a key without a passphrase`,
        )
      : unusable(`${shown} is not a private key that can be used: make one with ssh-keygen -t ed25519`)
  }
  if (!key.isPrivateKey()) return unusable(`${shown} is a public key: name the private one, usually without .pub`)
  return { _tag: "Key", key }
}

const reading = ({ code, message }: NodeJS.ErrnoException): string => {
  if (code === "ENOENT") return "there is no such file; name the server's key path anew"
  if (code === "EACCES") return "permission denied; make it readable for this user"
  if (code === "EISDIR") return "it is a directory; name the key in it"
  return clean(message)
}

const unusable = (problem: string): Key => ({ _tag: "Unusable", problem })
