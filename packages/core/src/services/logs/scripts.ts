/** What is run on a host to read logs that keep entries: POSIX shell, constant. */

/** Reads a unit's journal as JSON, a line each. Arguments: unit, lines, whether to follow, since, cursor to go on after. */
export const journal = `
unit=$1 lines=$2 follow=$3 since=$4 after=$5
set -- -u "$unit" -o json --no-pager --output-fields=MESSAGE
# Told to follow it begins with ten lines, unless it is told otherwise.
if [ -n "$after" ]; then set -- "$@" --no-tail "--after-cursor=$after"
else
  [ -z "$since" ] || set -- "$@" "--since=$since"
  set -- "$@" -n "$lines"
fi
[ -z "$follow" ] || set -- "$@" -f
exec journalctl "$@"
`

/** Reads a container's log with time stamps. Arguments: engine, name, lines, whether to follow, since, time to go on from. */
export const container = `
engine=$1 name=$2 lines=$3 follow=$4 since=$5 after=$6
set -- logs --timestamps
if [ -n "$after" ]; then set -- "$@" --since "$after"
else
  [ -z "$since" ] || set -- "$@" --since "$since"
  set -- "$@" --tail "$lines"
fi
[ -z "$follow" ] || set -- "$@" --follow
exec "$engine" "$@" -- "$name" 2>&1
`
