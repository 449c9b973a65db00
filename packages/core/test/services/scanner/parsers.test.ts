/** The parsers, on what tools printed over the years. */
import { readFileSync } from "node:fs"
import { describe, expect, it } from "vitest"
import { parseCaddy } from "../../../src/services/scanner/parsers/caddy.js"
import { parseContainers } from "../../../src/services/scanner/parsers/containers.js"
import { parseCron } from "../../../src/services/scanner/parsers/cron.js"
import { parseNginx } from "../../../src/services/scanner/parsers/nginx.js"
import { parsePm2 } from "../../../src/services/scanner/parsers/pm2.js"
import { parseProcesses } from "../../../src/services/scanner/parsers/processes.js"
import { parseSockets } from "../../../src/services/scanner/parsers/sockets.js"
import { parseUnits } from "../../../src/services/scanner/parsers/systemd.js"
import type { Socket } from "../../../src/services/scanner/types.js"
import { container, ownUnit, pm2Entry, unitBlock } from "./outputs.js"

const short = ({ address, pid, port, process, unit }: Socket) => [address, port, process, pid, unit]

describe("systemd", () => {
  it("shows units with the file that an interpreter is given, and none of its other arguments", () => {
    const text = ownUnit("api", 700).replace("server.js ;", "server.js --token=abc123secret ;")
    expect(parseUnits(text)).toEqual([
      expect.objectContaining({
        name: "api.service",
        pid: 700,
        active: "active",
        program: "/usr/bin/node",
        script: "/srv/api/server.js",
      }),
    ])
    expect(JSON.stringify(parseUnits(text))).not.toContain("abc123secret")
  })

  it("shows units of 219 and before, without empty lines between and with fields missing", () => {
    const text =
      "Id=a.service\nActiveState=active\nLoadState=loaded\nId=b.service\nLoadState=not-found\nId=c.service\nMainPID=12\n"
    expect(parseUnits(text).map(({ name, pid }) => [name, pid])).toEqual([
      ["a.service", undefined],
      ["c.service", 12],
    ])
  })

  it("lists units as a table, with dots and without, and its legend", () => {
    const text = `  UNIT                 LOAD      ACTIVE SUB     DESCRIPTION
● api.service          loaded    failed failed  The API
  cron.service         loaded    active running Regular background program processing daemon
* old.service          not-found inactive dead  old.service
nginx.service loaded active running A high performance web server
\nLOAD   = Reflects whether the unit definition was properly loaded.
3 loaded units listed.`
    expect(parseUnits(text).map(({ active, description, name }) => [name, active, description])).toEqual([
      ["api.service", "failed", "The API"],
      ["cron.service", "active", "Regular background program processing daemon"],
      ["nginx.service", "active", "A high performance web server"],
    ])
  })

  it("says which units it needs", () => {
    const [unit] = parseUnits(
      unitBlock("web", { Requires: "system.slice postgresql.service -.mount", Wants: "redis.service" }),
    )
    expect(unit).toMatchObject({ requires: ["postgresql.service"], wants: ["redis.service"] })
  })
})

describe("docker and podman", () => {
  it("ports are mapped, listed, null or missing", () => {
    const text = [
      container("a", {
        ports: {
          "80/tcp": [
            { HostIp: "0.0.0.0", HostPort: "8080" },
            { HostIp: "::", HostPort: "8080" },
          ],
          "443/tcp": null,
          "53/udp": [{ HostPort: "53" }],
        },
      }),
      container("b", { ports: null }),
      container("c", { ports: [{ hostPort: 9000, containerPort: 90, protocol: "tcp", hostIP: "" }] }),
      '{"id":"0123456789abcdef","name":"/d"}',
    ].join("\n")
    expect(parseContainers(text).map(({ name, ports }) => [name, ports])).toEqual([
      ["a", [{ host: 8080, container: 80 }]],
      ["b", []],
      ["c", [{ host: 9000, container: 90 }]],
      ["d", []],
    ])
  })

  it("come as a table where inspect does not answer", () => {
    const text = `WARNING: Error loading config file: /root/.docker/config.json
ps\t0123456789ab\tweb\tnginx:1.25@sha256:abcdef\tUp 3 days (healthy)\t0.0.0.0:8080->80/tcp, :::8080->80/tcp, 127.0.0.1:9000-9001->9000-9001/tcp, 53/udp
ps\tabcdef012345\tjob,project/job\tbusybox\tExited (0) 2 hours ago\t`
    expect(parseContainers(text)).toMatchObject([
      {
        name: "web",
        image: "nginx:1.25",
        state: "running",
        ports: [
          { host: 8080, container: 80 },
          { host: 9000, container: 9000 },
        ],
      },
      { name: "job", state: "exited", ports: [] },
    ])
  })

  it("say what compose files say, and a container is there once", () => {
    const one = container("shop-web-1", {
      project: "shop",
      service: "web",
      needs: "db:service_healthy:false,cache:service_started:true",
    })
    expect(parseContainers(`${one}\n${one}`)).toMatchObject([
      { project: "shop", service: "web", needs: ["db", "cache"] },
    ])
  })
})

describe("pm2", () => {
  const list = [pm2Entry("api", 0, 1234, 3000, { DB_PASSWORD: "hunter2-canary" }), pm2Entry("worker", 1, 1235, 3001)]
  const expected = [
    {
      name: "api",
      id: 0,
      pid: 1234,
      status: "online",
      script: "/srv/api/dist/main.js",
      directory: "/srv/api",
      interpreter: "node",
      version: "1.4.0",
      port: 3000,
    },
    {
      name: "worker",
      id: 1,
      pid: 1235,
      status: "online",
      script: "/srv/worker/dist/main.js",
      directory: "/srv/worker",
      interpreter: "node",
      version: "1.4.0",
      port: 3001,
    },
  ]

  it.each([
    ["as it is", ""],
    [
      "after it told of an update",
      ">>>> In-memory PM2 is out-of-date, do:\n>>>> $ pm2 update\nIn memory PM2 version: 5.3.0\nLocal PM2 version: 5.4.2\n\n",
    ],
    [
      "after it started its daemon",
      "[PM2] Spawning PM2 daemon with pm2_home=/root/.pm2\n[PM2] PM2 Successfully daemonized\n",
    ],
    [
      "after its first greeting",
      "                        -------------\n\n__/\\\\\\\\____/\\\\\\\\_\n { Runtime Edition }\n\n",
    ],
  ])("is read %s", (_, greeting) => {
    const text = greeting + JSON.stringify(list)
    expect(parsePm2(text)).toEqual(expected)
    expect(JSON.stringify(parsePm2(text))).not.toContain("hunter2")
  })

  it("7.0.4 is read as it was recorded, with two instances of a name and one stopped, and no secret of it", () => {
    const text = readFileSync(new URL("./recorded/pm2-7.0.4.txt", import.meta.url), "utf8")
    expect(text).toContain("correct-horse-canary")
    const seen = parsePm2(text)
    expect(
      seen.map(({ directory, id, name, port, script, status }) => [id, name, status, script, directory, port]),
    ).toEqual([
      [0, "api", "online", "/home/ada/shop/api.js", "/home/ada/shop", 3000],
      [1, "worker", "stopped", "/home/ada/shop/worker.js", "/home/ada/shop", 3000],
      [2, "worker", "stopped", "/home/ada/shop/worker.js", "/home/ada/shop", 3000],
    ])
    expect(JSON.stringify(seen)).not.toContain("correct-horse-canary")
  })

  it("is read as far as it came when it was cut", () => {
    const text = JSON.stringify(list)
    expect(parsePm2(text.slice(0, text.length - 100))).toEqual(expected.slice(0, 1))
  })
})

describe("sockets", () => {
  it("of ss, today's and older ones", () => {
    const text = `State      Recv-Q Send-Q Local Address:Port  Peer Address:Port
LISTEN 0      511          0.0.0.0:80        0.0.0.0:*    users:(("nginx",pid=812,fd=6),("nginx",pid=811,fd=6))
LISTEN 0      4096   127.0.0.53%lo:53        0.0.0.0:*    users:(("systemd-resolve",pid=500,fd=14)) cgroup:/system.slice/systemd-resolved.service
LISTEN 0      128             [::]:22           [::]:*    uid:0 ino:1234 sk:2 cgroup:/system.slice/ssh.service v6only:1 <->
LISTEN 0      128               :::8080           :::*    users:(("java",1234,55))
LISTEN 0      511                *:3000            *:*
LISTEN 0      70  [fe80::1%eth0]:9100         [::]:*
ESTAB  0      0          10.0.0.1:22       10.0.0.2:50000`
    expect(parseSockets(text).map(short)).toEqual([
      ["0.0.0.0", 80, "nginx", 812, undefined],
      ["127.0.0.53", 53, "systemd-resolve", 500, "systemd-resolved.service"],
      ["::", 22, undefined, undefined, "ssh.service"],
      ["::", 8080, "java", 1234, undefined],
      ["*", 3000, undefined, undefined, undefined],
      ["fe80::1", 9100, undefined, undefined, undefined],
    ])
  })

  it("of netstat on Linux, busybox and macOS", () => {
    const text = `Active Internet connections (only servers)
Proto Recv-Q Send-Q Local Address           Foreign Address         State       PID/Program name
tcp        0      0 0.0.0.0:22              0.0.0.0:*               LISTEN      700/sshd: /usr/sbin
tcp6       0      0 :::5432                 :::*                    LISTEN      -
tcp        0      0 10.0.0.1:22             10.0.0.2:50000          ESTABLISHED 900/sshd
tcp4       0      0  127.0.0.1.5433         *.*                    LISTEN
tcp46      0      0  *.8080                 *.*                    LISTEN`
    expect(parseSockets(text).map(short)).toEqual([
      ["0.0.0.0", 22, "sshd", 700, undefined],
      ["::", 5432, undefined, undefined, undefined],
      ["127.0.0.1", 5433, undefined, undefined, undefined],
      ["*", 8080, undefined, undefined, undefined],
    ])
  })

  it("of lsof, and of /proc where there is nothing else", () => {
    const text = `COMMAND     PID USER   FD   TYPE             DEVICE SIZE/OFF NODE NAME
node      12345  ada   23u  IPv6 0x1234567890abcdef      0t0  TCP *:3000 (LISTEN)
postgres    567 _pg    7u  IPv4 0xabcdef1234567890      0t0  TCP 127.0.0.1:5432 (LISTEN)
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:0CEA 00000000:0000 0A 00000000:00000000 00:00000000 00000000   106        0 17170 1
   1: 0100007F:0CEA 0200007F:C001 01 00000000:00000000 00:00000000 00000000   106        0 17171 1
   0: 00000000000000000000000000000000:0016 00000000000000000000000000000000:0000 0A 00000000:00000000
   1: 00000000000000000000000001000000:1F90 00000000000000000000000000000000:0000 0A 00000000:00000000`
    expect(parseSockets(text).map(short)).toEqual([
      ["*", 3000, "node", 12345, undefined],
      ["127.0.0.1", 5432, "postgres", 567, undefined],
      ["127.0.0.1", 3306, undefined, undefined, undefined],
      ["::", 22, undefined, undefined, undefined],
      ["::1", 8080, undefined, undefined, undefined],
    ])
  })

  it("belong to processes, whose units and containers /proc knows", () => {
    const text = `/proc/812/stat:812 (nginx: (x)) S 811 812 812 0 -1
/proc/812/cgroup:0::/system.slice/nginx.service
/proc/900/cgroup:12:pids:/docker/${"ab".repeat(32)}
/proc/901/cgroup:0::/user.slice/user-1000.slice/user@1000.service/app.slice/api.service
lrwxrwxrwx 1 root root 0 Nov 22 19:00 /proc/812/exe -> /usr/sbin/nginx (deleted)
lrwxrwxrwx 1 root root 0 Nov 22 19:00 /proc/812/cwd -> /srv/with space`
    expect(parseProcesses(text)).toEqual([
      {
        pid: 812,
        name: "nginx:",
        parent: 811,
        unit: "nginx.service",
        container: undefined,
        program: "/usr/sbin/nginx",
        directory: "/srv/with space",
      },
      { pid: 900, container: "abababababab", unit: undefined },
      { pid: 901, container: undefined, unit: "api.service" },
    ])
  })
})

describe("nginx", () => {
  it("resolves upstreams, variables, named locations and included snippets", () => {
    const text = `# configuration file /etc/nginx/nginx.conf:
http {
  upstream backend { least_conn; server 10.0.0.7:3000 weight=5; server [fd00::7]:3000 backup; }
  map $http_upgrade $connection_upgrade { default upgrade; '' close; }
  include /etc/nginx/conf.d/*.conf;
}
stream { server { listen 5432; proxy_pass 10.0.0.9:5432; } }
# configuration file /etc/nginx/conf.d/app.conf:
server {
  listen [::]:443 ssl; server_name App.Example.com "api.example.com" _ ~^www\\d+\\.example$ 10.0.0.1;
  ssl_certificate /etc/ssl/cloudflare/origin.pem;
  set $up "http://127.0.0.1:4000";
  location / { try_files $uri @app; }
  location @app { proxy_pass http://backend; }
  location ^~ /v1/ { proxy_pass $up/x; include snippets/headers.conf; }
  location = /health { return 200 "ok; }"; }
  location /ws { content_by_lua_block { if x then -- don't } "
    end } proxy_pass http://unix:/run/ws.sock:/; }
  location ~* \\.(png|css)$ { expires 30d; }
  location /img/ { alias /srv/img/; }
  location /inc { include snippets/proxy.conf; }
}
# configuration file /etc/nginx/snippets/proxy.conf:
proxy_pass http://localhost:5000;
# configuration file /etc/nginx/snippets/headers.conf:
proxy_set_header X-Key "canary";
`
    const sites = parseNginx(text)
    expect(sites).toHaveLength(1)
    expect(sites[0]).toMatchObject({
      names: ["app.example.com", "api.example.com"],
      ports: [443],
      tls: true,
      ssl: "cloudflare",
    })
    const routes = Object.fromEntries(sites[0]?.routes.map(({ path, upstreams }) => [path, upstreams]) ?? [])
    expect(routes).toEqual({
      "/": [
        { _tag: "Address", host: "10.0.0.7", port: 3000 },
        { _tag: "Address", host: "fd00::7", port: 3000 },
      ],
      "/v1": [{ _tag: "Address", host: "127.0.0.1", port: 4000 }],
      "/ws": [{ _tag: "Socket", path: "/run/ws.sock" }],
      "/img": [],
      "/inc": [{ _tag: "Address", host: "localhost", port: 5000 }],
    })
    expect(JSON.stringify(sites)).not.toContain("canary")
  })

  it("reads what was cut, and sites that PHP answers for", () => {
    const text =
      "server { listen 8080; server_name php.example.com; root /srv; location ~ \\.php$ { fastcgi_pass unix:/run/php/php8.2-fpm.sock; } } server { server_name cut.example.com; location / { proxy_pass http://127.0.0.1:1;"
    expect(parseNginx(text).map(({ names, ports, routes }) => [names[0], ports, routes[0]?.upstreams])).toEqual([
      ["php.example.com", [8080], [{ _tag: "Socket", path: "/run/php/php8.2-fpm.sock" }]],
      ["cut.example.com", [80], [{ _tag: "Address", host: "127.0.0.1", port: 1 }]],
    ])
  })
})

describe("Caddy", () => {
  const caddyfile = `{
	email ops@example.com
}
(common) {
	encode gzip
	basic_auth { ada $2a$14$canary }
}
app.example.com, www.example.com:443 {
	import common
	@api path /api/*
	handle @api {
		reverse_proxy 127.0.0.1:3000 # the API
	}
	handle_path /static/* {
		file_server
	}
	reverse_proxy {
		to localhost:4000 10.0.0.7:4000
		header_up Authorization "Bearer canary"
	}
}
http://plain.example.com {
	reverse_proxy /ws/* unix//run/ws.sock
	root * /srv/plain
	file_server
}
intern.example.com {
	tls internal
	reverse_proxy :5000
}
`

  it("is read from its file where caddy itself is not there", () => {
    const sites = parseCaddy(caddyfile)
    expect(sites.map(({ names, ports, ssl }) => [names, ports, ssl])).toEqual([
      [["app.example.com", "www.example.com"], [443], "letsencrypt"],
      [["plain.example.com"], [80], undefined],
      [["intern.example.com"], [443], "self-signed"],
    ])
    expect(Object.fromEntries(sites[0]?.routes.map(({ path, upstreams }) => [path, upstreams.length]) ?? [])).toEqual({
      "/api": 1,
      "/static": 0,
      "/": 2,
    })
    expect(sites[1]?.routes).toEqual([
      { path: "/ws", upstreams: [{ _tag: "Socket", path: "/run/ws.sock" }] },
      { path: "/", upstreams: [] },
    ])
    expect(JSON.stringify(sites)).not.toContain("canary")
  })

  it("is read from a file with one site and no braces", () => {
    expect(parseCaddy("one.example.com\n\nreverse_proxy localhost:9000\n")).toMatchObject([
      { names: ["one.example.com"], routes: [{ path: "/", upstreams: [{ host: "localhost", port: 9000 }] }] },
    ])
  })
})

describe("cron", () => {
  it("says when and which program, and none of the secrets around it", () => {
    const text = `MAILTO=ada@example.com
PGPASSWORD=canary
# m h dom mon dow command
*/5 * * * * cd /srv/app && /usr/bin/node bin/sync.js --key=canary >> /var/log/sync.log 2>&1
@daily /srv/backup.sh canary
0 3 * * 1-5 TOKEN=canary /usr/local/bin/rotate
# crontab file /etc/cron.d/certbot
0 */12 * * * root test -x /usr/bin/certbot -a \\! -d /run/systemd/system && perl -e 'sleep int(rand(43200))' && certbot -q renew
30 2 * * * ada flock -n /tmp/x /srv/report/run.py
no line of cron`
    expect(
      parseCron(text).map(({ directory, file, program, schedule, user }) => [schedule, program, directory, file, user]),
    ).toEqual([
      ["*/5 * * * *", "bin/sync.js", "/srv/app", undefined, undefined],
      ["@daily", "/srv/backup.sh", undefined, undefined, undefined],
      ["0 3 * * 1-5", "/usr/local/bin/rotate", undefined, undefined, undefined],
      ["0 */12 * * *", "perl", undefined, "/etc/cron.d/certbot", "root"],
      ["30 2 * * *", "/srv/report/run.py", undefined, "/etc/cron.d/certbot", "ada"],
    ])
    expect(JSON.stringify(parseCron(text))).not.toContain("canary")
  })
})
