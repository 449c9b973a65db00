/** What the tools print, as they print it: for one unit, container, process, socket or site of a given name. */

import { createHash } from "node:crypto"

/** A block of `systemctl show`, systemd 252. */
export const unitBlock = (name: string, about: Readonly<Record<string, string | number>> = {}): string =>
  Object.entries({
    Id: `${name}.service`,
    Description: `The ${name}`,
    LoadState: "loaded",
    ActiveState: "active",
    MainPID: 0,
    FragmentPath: `/lib/systemd/system/${name}.service`,
    UnitFileState: "enabled",
    WorkingDirectory: "",
    ExecStart: `{ path=/usr/bin/${name} ; argv[]=/usr/bin/${name} --daemon ; ignore_errors=no ; start_time=[Sun 2026-11-01 10:00:00 UTC] ; stop_time=[n/a] ; pid=700 ; code=(null) ; status=0/0 }`,
    Requires: "system.slice sysinit.target",
    Wants: "",
    ...about,
  })
    .map(([key, value]) => `${key}=${value}`)
    .join("\n")

/** A unit that somebody wrote for a program of their own. */
export const ownUnit = (name: string, pid: number, script = `/srv/${name}/server.js`): string =>
  unitBlock(name, {
    MainPID: pid,
    FragmentPath: `/etc/systemd/system/${name}.service`,
    WorkingDirectory: `/srv/${name}`,
    ExecStart: `{ path=/usr/bin/node ; argv[]=/usr/bin/node ${script} ; ignore_errors=no ; pid=${pid} }`,
  })

/** A line of `docker inspect --format` with our template, Docker 24. */
export const container = (name: string, about: Readonly<Record<string, unknown>> = {}): string =>
  JSON.stringify({
    id: createHash("sha256").update(name).digest("hex"),
    name: `/${name}`,
    image: "ghcr.io/acme/app:1.2.3",
    state: "running",
    pid: 0,
    restart: "unless-stopped",
    network: "bridge",
    ports: {},
    project: "",
    service: "",
    directory: "",
    needs: "",
    ...about,
  })

/** What Docker has of a published port. */
export const publishing = (host: number, inner: number) => ({
  [`${inner}/tcp`]: [
    { HostIp: "0.0.0.0", HostPort: String(host) },
    { HostIp: "::", HostPort: String(host) },
  ],
})

/** An entry of `pm2 jlist`, pm2 5, with the environment that it carries. */
export const pm2Entry = (
  name: string,
  id: number,
  pid: number,
  port: number,
  env: Readonly<Record<string, string>> = {},
) => ({
  pid,
  name,
  pm2_env: {
    kill_timeout: 1600,
    username: "ada",
    ...env,
    env: { PORT: String(port), PATH: "/usr/bin", ...env },
    PORT: String(port),
    status: "online",
    pm_exec_path: `/srv/${name}/dist/main.js`,
    pm_cwd: `/srv/${name}`,
    exec_interpreter: "node",
    exec_mode: "fork_mode",
    node_version: "20.11.1",
    version: "1.4.0",
    args: ["--api-key", env.API_KEY ?? "none"],
    pm_id: id,
  },
  pm_id: id,
  monit: { memory: 61_234_176, cpu: 0.3 },
})

/** A line of `ss -ltnpeH`, iproute2 6.1. */
export const socketLine = (local: string, process: string, pid: number, unit?: string): string =>
  `LISTEN 0      511    ${local} 0.0.0.0:*    users:(("${process}",pid=${pid},fd=18)) ino:1665651 sk:1 cgroup:${
    unit === undefined ? "/user.slice/user-0.slice/session-1.scope" : `/system.slice/${unit}`
  } <->`

/** A site as people write them, with a certificate of certbot's. */
export const nginxSite = (domain: string, port: number): string => `
server {
    listen 80;
    listen [::]:80;
    server_name ${domain};
    return 301 https://$host$request_uri;
}
server {
    listen 443 ssl http2; # managed by Certbot
    server_name ${domain} www.${domain};
    ssl_certificate /etc/letsencrypt/live/${domain}/fullchain.pem;
    ssl_certificate_key /etc/letsencrypt/live/${domain}/privkey.pem;
    location / {
        proxy_set_header Authorization "Bearer canary-in-a-header";
        proxy_set_header Host $host;
        proxy_pass http://127.0.0.1:${port};
    }
}
`
