/**
 * What a scan runs on a host: one constant POSIX script that prints a section for each tool and changes nothing.
 *
 * Each section is a shell of its own with a limit of time and size: a docker that hangs costs its own section. `$1` is a
 * word that nobody on the host knew before, so no tool can print the marks between sections. All that a section started
 * ends with it, where `setsid` is there, or perl instead of it (macOS); elsewhere only the tool itself does.
 */
import { quote } from "../../Shell.js"
import { inspectTemplate, psTemplate } from "./parsers/containers.js"
import { unitProperties } from "./parsers/systemd.js"

export const sectionNames = ["systemd", "docker", "podman", "pm2", "sockets", "nginx", "caddy", "cron"] as const
export type SectionName = (typeof sectionNames)[number]

interface Section {
  readonly name: SectionName
  /** Seconds. */
  readonly limit: number
  /** Bytes. */
  readonly size: number
  /** Status 127 means that the tool is not there. */
  readonly script: string
}

const show = `show --no-pager --property=${unitProperties.join(",")}`

const systemd = `
command -v systemctl >/dev/null || exit 127
systemctl ${show} '*.service' || systemctl list-units --all --type=service --no-legend --no-pager
status=$?
# The login's own units, where it has any.
XDG_RUNTIME_DIR=\${XDG_RUNTIME_DIR:-/run/user/$(id -u)}; export XDG_RUNTIME_DIR
[ -S "$XDG_RUNTIME_DIR/bus" ] && { echo; systemctl --user ${show} '*.service'; }
exit $status
`

const containers = (tool: string): string => `
command -v ${tool} >/dev/null || exit 127
ids=$(${tool} ps --all --quiet --no-trunc) || exit 1
[ -z "$ids" ] && exit 0
${tool} inspect --format ${quote(inspectTemplate)} $ids || ${tool} ps --all --no-trunc --format ${quote(psTemplate)}
`

/** Cuts \`pm2 jlist\` to what may leave the host. It runs where pm2 runs: on Node. */
const pm2Fields = `
let text = "";
process.stdin.on("data", (data) => { text += data }).on("end", () => {
  const at = text.search(/^\\[(?=[{\\]])/m);
  const list = JSON.parse(at < 0 ? "[]" : text.slice(at));
  process.stdout.write(JSON.stringify(list.map(({ name, pid, pm_id, pm2_env: e = {} }) => ({
    name, pm_id, pid, status: e.status, script: e.pm_exec_path, cwd: e.pm_cwd, interpreter: e.exec_interpreter,
    version: e.version, port: e.PORT ?? (e.env ?? {}).PORT,
  }))));
});
`

const pm2 = `
# Asking pm2 would start its daemon where none runs: a scan starts nothing.
god=$(cat "\${PM2_HOME:-$HOME/.pm2}/pm2.pid")
case $god in ''|*[!0-9]*) exit 127 ;; esac
kill -0 "$god" || exit 127
# It is installed beside the node that runs it, which version managers keep out of the PATH of such a shell.
node=$(readlink "/proc/$god/exe") && case $node in */node) PATH=$PATH:\${node%/*} ;; esac
command -v pm2 >/dev/null && command -v node >/dev/null || exit 127
pm2 jlist | node -e ${quote(pm2Fields)}
`

const sockets = `
if command -v ss >/dev/null; then list=$(ss -ltnpeH || ss -ltnp)
elif command -v netstat >/dev/null; then list=$(netstat -ltnp || netstat -an -p tcp)
elif command -v lsof >/dev/null; then list=$(lsof -nP -iTCP -sTCP:LISTEN)
fi
[ -z "$list" ] && list=$(cat /proc/net/tcp /proc/net/tcp6)
[ -z "$list" ] && exit 127
printf '%s\\n' "$list"
[ -d /proc/self ] || exit 0
files= links=
for pid in $(printf '%s\\n' "$list" | tr ',() \\t' '\\n\\n\\n\\n\\n' | sed -n 's/^pid=\\([0-9][0-9]*\\)$/\\1/p; s/^\\([0-9][0-9]*\\)\\/.*$/\\1/p' | sort -u | head -n 500); do
  files="$files /proc/$pid/stat /proc/$pid/cgroup" links="$links /proc/$pid/exe /proc/$pid/cwd"
  # One that was forked has its parent's number, not its own, in the unit or in pm2.
  { read -r stat <"/proc/$pid/stat"; } && set -- \${stat##*) } && files="$files /proc/$2/stat"
done
[ -z "$files" ] && exit 0
grep . $files /dev/null
ls -ld $links
exit 0
`

const nginx = `
command -v nginx >/dev/null || [ -d /etc/nginx ] || exit 127
nginx -T && exit 0
# Whoever is not root cannot have it tested: its files can mostly be read all the same.
for file in /etc/nginx/nginx.conf /etc/nginx/conf.d/*.conf /etc/nginx/sites-enabled/* /etc/nginx/snippets/*; do
  [ -f "$file" ] && { printf '# configuration file %s:\\n' "$file"; cat "$file"; echo; }
done
[ -r /etc/nginx/nginx.conf ]
`

/** Where a scan looks for Caddy's configuration. */
export const caddyFile = "/etc/caddy/Caddyfile"

const caddy = `
file=${caddyFile}
[ -f "$file" ] || { command -v caddy >/dev/null && exit 0; exit 127; }
# Far shorter than what caddy keeps of it; its secrets stay where they are.
command -v caddy >/dev/null && caddy adapt --config "$file" && exit 0
cat "$file"
`

const cron = `
command -v crontab >/dev/null || [ -d /etc/cron.d ] || exit 127
crontab -l
for file in /etc/crontab /etc/cron.d/*; do
  [ -f "$file" ] && { printf '\\n# crontab file %s\\n' "$file"; cat "$file"; }
done
exit 0
`

const sections: ReadonlyArray<Section> = [
  { name: "systemd", limit: 5, size: 2_000_000, script: systemd },
  { name: "docker", limit: 5, size: 1_000_000, script: containers("docker") },
  { name: "podman", limit: 5, size: 1_000_000, script: containers("podman") },
  { name: "pm2", limit: 8, size: 1_000_000, script: pm2 },
  { name: "sockets", limit: 5, size: 1_000_000, script: sockets },
  { name: "nginx", limit: 5, size: 4_000_000, script: nginx },
  { name: "caddy", limit: 5, size: 2_000_000, script: caddy },
  { name: "cron", limit: 3, size: 500_000, script: cron },
]

/** Seconds that all sections may take together, when each takes as long as it may. */
export const longest = sections.reduce((sum, { limit }) => sum + limit, 0)

/** Bytes that all sections may print together. */
export const largest = sections.reduce((sum, { size }) => sum + size + 1_000, 0)

/** Runs `$2` for at most `$1` seconds; what it still runs then is killed. */
const limited = `
(trap 'kill $nap 2>/dev/null; exit' TERM; sleep "$1" & nap=$!; wait $nap; kill -KILL 0) >/dev/null 2>&1 &
dog=$!
sh -c "$2"
status=$?
kill $dog
exit $status
`

const limitedWithoutSessions = `
sh -c "$2" & job=$!
(trap 'kill $nap 2>/dev/null; exit' TERM; sleep "$1" & nap=$!; wait $nap; kill -KILL $job) >/dev/null 2>&1 &
dog=$!
wait $job
status=$?
kill $dog
exit $status
`

const scriptOf = (asked: ReadonlyArray<Section>): string => `
LC_ALL=C PATH=$PATH:/usr/local/sbin:/usr/local/bin:/usr/sbin:/sbin; export LC_ALL PATH
exec 2>/dev/null </dev/null
mark=$1
section() {
  printf '\\n%s begin %s\\n' "$mark" "$1"
  {
    if command -v setsid >/dev/null; then setsid sh -c ${quote(limited)} limited "$2" "$4"
    elif command -v perl >/dev/null; then perl -MPOSIX -e ${quote("fork and wait, exit($? & 127 ? 128 + ($? & 127) : $? >> 8); POSIX::setsid(); exec @ARGV")} sh -c ${quote(limited)} limited "$2" "$4"
    else sh -c ${quote(limitedWithoutSessions)} limited "$2" "$4"
    fi
    printf '\\n%s end %s\\n' "$mark" "$?"
  } | head -c "$3"
}
${asked.map(({ limit, name, script, size }) => `section ${name} ${limit} ${size} ${quote(script)}`).join("\n")}
printf '\\n%s over\\n' "$mark"
`

/** `$1` is the word between the sections. */
export const scanScript = scriptOf(sections)

/** The same with the sections of the reverse proxies alone. */
export const proxiesScript = scriptOf(sections.filter(({ name }) => name === "nginx" || name === "caddy"))
