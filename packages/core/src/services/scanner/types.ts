/** What the parsers find on a host. Only these fields leave a parser; whatever else a tool prints is dropped there. */

/** Where something was seen. */
export type Source = "systemd" | "docker" | "podman" | "pm2" | "sockets" | "nginx" | "caddy" | "cron"

/** A systemd service. */
export interface Unit {
  /** With its suffix: `api.service`. */
  readonly name: string
  readonly description?: string | undefined
  /** `active`, `inactive`, `failed`, … */
  readonly active?: string | undefined
  readonly pid?: number | undefined
  readonly fragment?: string | undefined
  /** `enabled`, `disabled`, `static`, … */
  readonly enabled?: string | undefined
  readonly directory?: string | undefined
  /** The program it starts, and the file that an interpreter is given. Never its other arguments. */
  readonly program?: string | undefined
  readonly script?: string | undefined
  /** Units it cannot do without, and units it would like. */
  readonly requires: ReadonlyArray<string>
  readonly wants: ReadonlyArray<string>
}

/** A container of docker or podman. */
export interface Container {
  readonly id?: string | undefined
  readonly name: string
  readonly image?: string | undefined
  readonly state?: string | undefined
  readonly pid?: number | undefined
  readonly restart?: string | undefined
  readonly network?: string | undefined
  /** Published on the host. */
  readonly ports: ReadonlyArray<{ readonly host: number; readonly container: number }>
  readonly project?: string | undefined
  readonly service?: string | undefined
  readonly directory?: string | undefined
  /** The services of its project that it needs; `required` is false where compose says so. */
  readonly needs: ReadonlyArray<string>
}

/** A process that pm2 keeps. */
export interface Pm2Process {
  readonly name: string
  readonly id?: number | undefined
  readonly pid?: number | undefined
  readonly status?: string | undefined
  readonly script?: string | undefined
  readonly directory?: string | undefined
  readonly interpreter?: string | undefined
  readonly version?: string | undefined
  readonly port?: number | undefined
}

/** A TCP socket that listens. */
export interface Socket {
  readonly address: string
  readonly port: number
  readonly pid?: number | undefined
  readonly process?: string | undefined
  /** The unit of its control group, where the system tells. */
  readonly unit?: string | undefined
}

/** What /proc says of a process. */
export interface Process {
  readonly pid: number
  readonly parent?: number | undefined
  readonly name?: string | undefined
  readonly program?: string | undefined
  readonly directory?: string | undefined
  readonly unit?: string | undefined
  /** The first 12 digits of the container it is in. */
  readonly container?: string | undefined
}

/** Where a proxy sends a request. */
export type Upstream =
  | { readonly _tag: "Address"; readonly host: string; readonly port: number }
  | { readonly _tag: "Socket"; readonly path: string }

/** One path of a site. No `upstreams`: the proxy answers by itself, from files. */
export interface SiteRoute {
  readonly path: string
  readonly upstreams: ReadonlyArray<Upstream>
}

/** A site of a reverse proxy. */
export interface Site {
  /** The file it stands in, where that is told. */
  readonly file?: string | undefined
  readonly names: ReadonlyArray<string>
  readonly ports: ReadonlyArray<number>
  readonly tls: boolean
  /** Where its certificate comes from, if that can be told. */
  readonly ssl?: "letsencrypt" | "cloudflare" | "self-signed" | undefined
  readonly routes: ReadonlyArray<SiteRoute>
}

/** A line of a crontab. */
export interface CronJob {
  readonly schedule: string
  /** The file it stands in; absent for the login's own crontab. */
  readonly file?: string | undefined
  readonly user?: string | undefined
  readonly program: string
  readonly directory?: string | undefined
}
