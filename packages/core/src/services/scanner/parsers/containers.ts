/** Containers of docker and podman, from our own `inspect` template or, failing that, `ps`. Pure; never throws. */
import type { Container } from "../types.js"
import { path, pid, port, token, word } from "../words.js"
import { asArray, asObject, type JsonObject, objectsIn } from "./json.js"

const most = 5_000

const label = (name: string): string => `{{json (index .Config.Labels "com.docker.compose.${name}")}}`

/** Asks for these fields alone: containers carry whole environments, with passwords in them. */
export const inspectTemplate = `{${[
  '"id":{{json .Id}}',
  '"name":{{json .Name}}',
  '"image":{{json .Config.Image}}',
  '"state":{{json .State.Status}}',
  '"pid":{{json .State.Pid}}',
  '"restart":{{json .HostConfig.RestartPolicy.Name}}',
  '"network":{{json .HostConfig.NetworkMode}}',
  '"ports":{{json .NetworkSettings.Ports}}',
  `"project":${label("project")}`,
  `"service":${label("service")}`,
  `"directory":${label("project.working_dir")}`,
  `"needs":${label("depends_on")}`,
].join(",")}}`

/** What `ps` is asked for where `inspect` does not answer. */
export const psTemplate = "ps\t{{.ID}}\t{{.Names}}\t{{.Image}}\t{{.Status}}\t{{.Ports}}"

export const parseContainers = (text: string): ReadonlyArray<Container> => {
  const found = [...objectsIn(text).map(inspected), ...text.split("\n").map(fromPs)].filter((one) => one !== undefined)
  const seen = new Set<string>()
  return found
    .filter(({ id, name }) => {
      const key = id ?? name
      return seen.has(key) ? false : seen.add(key) && true
    })
    .slice(0, most)
}

const inspected = (one: JsonObject): Container | undefined => {
  const name = token(typeof one.name === "string" ? one.name.replace(/^\//, "") : undefined)
  if (name === undefined) return undefined
  return {
    id: idOf(one.id),
    name,
    image: image(one.image),
    state: token(one.state, 30),
    pid: pid(one.pid),
    restart: token(one.restart, 30),
    network: token(one.network)?.replace(/^container:.*/, "container"),
    ports: published(one.ports),
    project: token(one.project),
    service: token(one.service),
    directory: path(one.directory),
    needs: needs(one.needs),
  }
}

/** `{"80/tcp":[{"HostIp":"0.0.0.0","HostPort":"8080"}]}`; podman had lists of `{"hostPort":8080,"containerPort":80}`. */
const published = (ports: unknown): Container["ports"] => {
  const listed = asArray(ports)
    .map(asObject)
    .map((one) => [one.hostPort ?? one.host_port, one.containerPort ?? one.container_port])
  const mapped = Object.entries(asObject(ports)).flatMap(([inner, outer]) =>
    inner.endsWith("/udp") ? [] : asArray(outer).map((one) => [asObject(one).HostPort, inner.replace(/\/.*$/, "")]),
  )
  return pairs([...listed, ...mapped])
}

const pairs = (all: ReadonlyArray<ReadonlyArray<unknown>>): Container["ports"] => {
  const found = new Map<number, number>()
  for (const [outer, inner] of all.slice(0, 200)) {
    const [host, container] = [port(outer), port(inner)]
    if (host !== undefined && container !== undefined && !found.has(host)) found.set(host, container)
  }
  return [...found].map(([host, container]) => ({ host, container }))
}

/** `db:service_healthy:false,cache:service_started:true` */
const needs = (text: unknown): ReadonlyArray<string> =>
  typeof text !== "string"
    ? []
    : text
        .slice(0, 5_000)
        .split(",")
        .flatMap((one) => token(one.split(":")[0]?.trim()) ?? [])
        .slice(0, 100)

/** `0.0.0.0:8080->80/tcp, :::8080->80/tcp, 127.0.0.1:9000-9001->9000-9001/tcp` */
const fromPs = (line: string): Container | undefined => {
  if (!line.startsWith("ps\t")) return undefined
  const [, id, names = "", picture, status = "", ports = ""] = line.trimEnd().slice(0, 10_000).split("\t")
  const name = token(names.split(",")[0])
  if (name === undefined) return undefined
  const mapped = ports.split(",").flatMap((one) => {
    const found = /:(\d+)(?:-\d+)?->(\d+)(?:-\d+)?(?:\/tcp)?\s*$/.exec(one)
    return found === null ? [] : [[found[1], found[2]]]
  })
  const state = /^Up\b/.test(status) ? "running" : /^Exited\b/.test(status) ? "exited" : undefined
  return { id: idOf(id), name, image: image(picture), state, ports: pairs(mapped), needs: [] }
}

const idOf = (id: unknown): string | undefined =>
  typeof id === "string" && /^[0-9a-f]{12,64}$/.test(id) ? id.slice(0, 12) : undefined

/** Without its digest, which tells people nothing. */
const image = (text: unknown): string | undefined =>
  word(typeof text === "string" ? text.slice(0, 500).replace(/@?sha256:[0-9a-f]*/i, "") : undefined)
