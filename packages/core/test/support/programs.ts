/** Stand-ins for programs that a test's host does not have: `journalctl`, `docker`, `systemctl`, over files of the test's. */
import {
  appendFileSync,
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"

export interface Programs {
  /** What sessions of an sshd get as `PATH`. */
  readonly path: string
  /** Appends to the log of a unit or container that the programs know. */
  readonly write: (name: string, lines: ReadonlyArray<string>) => void
  /** What `systemctl` and `docker` were asked to do, a line each. */
  readonly asked: () => string
  /** Leaves a file where the programs and commands of a test look. */
  readonly file: (name: string) => string
  readonly dispose: () => void
}

export const makePrograms = (): Programs => {
  const directory = mkdtempSync(join(tmpdir(), "context-programs-"))
  const file = (name: string) => join(directory, name)
  mkdirSync(file("bin"))
  for (const [name, script] of Object.entries({ journalctl, docker, systemctl })) {
    writeFileSync(file(join("bin", name)), `#!/bin/sh\ncd ${directory}\n${script}`)
    chmodSync(file(join("bin", name)), 0o755)
  }
  return {
    path: `${file("bin")}:${process.env.PATH}`,
    file,
    write: (name, lines) => appendFileSync(file(`${name}.log`), lines.map((line) => `${line}\n`).join("")),
    asked: () => (existsSync(file("asked")) ? readFileSync(file("asked"), "utf8") : ""),
    dispose: () => rmSync(directory, { recursive: true, force: true }),
  }
}

/** As systemd has it: told to follow, it begins with ten lines unless told otherwise; a cursor beats that. */
const journalctl = `
echo "journalctl $*" >>asked
lines= follow= after= notail=
while [ $# -gt 0 ]; do
  case $1 in
    -u) unit=$2; shift ;;
    -o) shift ;;
    -n) lines=$2; shift ;;
    -f) follow=1 ;;
    --no-tail) notail=1 ;;
    --after-cursor=*) after=\${1#*=} ;;
  esac
  shift
done
[ -e "$unit.log" ] || { echo "Failed to add filter for units: No data available" >&2; exit 1; }
[ -n "$lines" ] || [ -z "$follow" ] || [ -n "$notail" ] || lines=10
[ "$lines" != all ] || lines=
total=$(wc -l <"$unit.log") start=1
if [ -n "$after" ]; then start=$(($(grep -nF "\\"__CURSOR\\":\\"$after\\"" "$unit.log" | cut -d: -f1) + 1))
elif [ -n "$lines" ] && [ "$total" -gt "$lines" ]; then start=$((total - lines + 1)); fi
exec tail -n "+$start" \${follow:+-f -s 0.05} "$unit.log"
`

/** As docker has it: from a time on means that time, too. */
const docker = `
echo "docker $*" >>asked
case $1 in
  inspect) for name; do :; done; [ -e "$name.log" ]; exit ;;
  logs) ;;
  *) for name; do :; done; [ -e "$name.log" ] || { echo "Error: No such container: $name" >&2; exit 1; }; echo "$name"; exit ;;
esac
tail=all follow= since=
while [ $# -gt 0 ]; do
  case $1 in
    --since) since=$2; shift ;;
    --tail) tail=$2; shift ;;
    --follow) follow=1 ;;
    --) name=$2 ;;
  esac
  shift
done
[ -e "$name.log" ] || { echo "Error: No such container: $name" >&2; exit 1; }
total=$(wc -l <"$name.log") start=1
if [ -n "$since" ]; then start=$(awk -v since="$since" '$1 >= since { print NR; exit }' "$name.log"); start=\${start:-$((total + 1))}
elif [ "$tail" != all ] && [ "$total" -gt "$tail" ]; then start=$((total - tail + 1)); fi
exec tail -n "+$start" \${follow:+-f -s 0.05} "$name.log"
`

/** Knows the units that have a log, and does what the file \`<unit>.<action>\` says. */
const systemctl = `
[ "$1" != --no-ask-password ] || shift
echo "systemctl $*" >>asked
case $1 in
  show) for unit; do :; done; [ ! -e "$unit.log" ] || echo "/etc/systemd/system/$unit.service" ;;
  *)
    [ -e "$3.log" ] || { echo "Failed to $1 $3.service: Unit $3.service not found." >&2; exit 5; }
    [ ! -e "$3.$1" ] || . "./$3.$1" ;;
esac
`
