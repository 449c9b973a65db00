/**
 * The ledger that a deploy keeps on the host it runs on, as POSIX shell functions.
 *
 *     ~/.context/deploy/<service>/counter            how many times the lock was taken; it only rises
 *                                 lock/holder        who holds it: counter, seconds since 1970, owner; below it, JSON
 *                                 runs/<id>/meta     the deployment, as JSON: enough to finish it from any machine
 *                                           pre, command, post, runner.sh
 *                                           output   all that they printed
 *                                           child    the process of the step that runs, which leads a session of its own, and what
 *                                                    tells it from a later process of the same number
 *                                           runner   the same of the process that sees the steps through
 *                                           ending   who asked for it to end before its time
 *                                           status   how it ended
 *
 * The last four have a fixed size from the beginning and are written over in place, so that they can still be written when
 * the disk is full. Everything that varies comes in as an argument.
 */

/** To be put before every script; `$1` is the service, `$2` the deployment. */
export const functions = `
service=$1 id=$2
shift 2
base=\${HOME:?}/.context/deploy/$service
run=$base/runs/$id
if command -v setsid >/dev/null 2>&1; then setsid=setsid; else setsid=; fi
# What is kept is for this login only; what the steps make is as it would be without us.
mask=$(umask)
umask 077

say() { printf '%s\\n' "$*"; }
now() { date +%s; }
nap() { sleep "$1" 2>/dev/null || sleep 1; }

# The directory that a path means.
expand() {
  case $1 in
    '~') say "$HOME" ;;
    '~/'*) say "$HOME/\${1#'~/'}" ;;
    -) say ./- ;;
    *) say "$1" ;;
  esac
}

# Writes over a file that has its size already.
put() { printf '%s\\n' "$2" 1<>"$1"; }

# What the system says to a write: shells say only that there was an error.
why_not() {
  LC_ALL=C dd if=/dev/zero of="$base/probe.$$" bs=1024 count=8 2>&1 | grep ': .*: ' | head -n 1
  rm -f "$base/probe.$$"
}

# The first line of a file, in $line.
first() { line=; { read -r line <"$1"; } 2>/dev/null; }

# What tells a process from a later one of the same number; nothing if there is none.
identity() {
  if [ -r /proc/self/stat ]; then
    { read -r boot </proc/sys/kernel/random/boot_id; read -r stat <"/proc/$1/stat"; } 2>/dev/null || return
    # After the name, which may hold anything.
    set -- \${stat##*) }
    case $1 in Z|X) ;; *) say "$boot \${20}" ;; esac
  else
    kill -0 "$1" 2>/dev/null && ps -o lstart= -p "$1" 2>/dev/null
  fi
}

is_over() { first "$1/status"; case $line in "over "*) return 0 ;; *) return 1 ;; esac; }

# Writes down which process this is.
sign() { printf '%-30s\\n%-170s\\n' "$$" "$(identity $$)" 1<>"$1"; }

is_there() {
  pid= known=
  { read -r pid; read -r known; } <"$1" 2>/dev/null
  [ -n "$pid" ] && [ "$(identity "$pid")" = "$known" ]
}

# A step may outlive the one that sees it through.
is_alive() { is_there "$1/runner" || is_there "$1/child"; }

state() {
  if is_over "$1"; then say over
  elif [ ! -d "$1" ]; then say none
  elif [ ! -d "$1/launched" ]; then say prepared
  elif is_alive "$1"; then say running
  # It may have ended in between.
  elif is_over "$1"; then say over
  else say vanished
  fi
}

# The lock: $counter, $since and $owner ("-" for one held by hand), and what is $said of it, or failure where there is none. All of
# it is read at once: it may be let go, and taken by another, at any moment.
holder() {
  counter= since= owner= said=
  { { read -r counter since owner; read -r said; } <"$base/lock/holder"; } 2>/dev/null
  [ -n "$owner" ]
}

release() {
  holder && [ "$owner" = "$1" ] || return 1
  # By a rename: of several who release it at once, one does.
  mv "$base/lock" "$base/gone.$$" 2>/dev/null || return 1
  # Another may have come in between: it gets its lock back.
  { read -r counter since owner <"$base/gone.$$/holder"; } 2>/dev/null
  if [ "$owner" != "$1" ]; then mv "$base/gone.$$" "$base/lock" 2>/dev/null; return 1; fi
  rm -rf "$base/gone.$$"
}

# The processes that descend from one, and those of its session: "pid" on a line each.
tree() {
  if [ -r /proc/self/stat ]; then
    for file in /proc/[0-9]*/stat; do
      { read -r stat <"$file"; } 2>/dev/null || continue
      pid=\${stat%% *}
      set -- "$1" \${stat##*) }
      case $2 in Z|X) ;; *) say "$pid $3 $5" ;; esac
    done
  else
    ps -A -o pid= -o ppid= -o pgid=
  fi | awk -v root="$1" '
    { parent[$1] = $2; group[$1] = $3 }
    END {
      for (p in parent) {
        q = p
        for (n = 0; n < 1000 && q != root && q in parent; n++) q = parent[q]
        if (q == root || group[p] == root) print p
      }
    }'
}

# Ends a process and all that came of it: asks first, and five seconds later does not ask any more.
stop_tree() {
  all=
  for signal in TERM KILL; do
    all="$all $(tree "$1")"
    kill -$signal $all 2>/dev/null || return 0
    n=0
    while [ $n -lt 50 ]; do
      living=
      for pid in $all; do [ -n "$(identity "$pid")" ] && living=1; done
      [ -z "$living" ] && [ -z "$(tree "$1")" ] && return 0
      nap 0.1
      n=$((n + 1))
    done
  done
}
`
