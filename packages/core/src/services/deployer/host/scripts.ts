/** What is run on a host for a deployment: POSIX shell, constant, with `functions` before it. Replies are lines on stdout. */
import { findCommit } from "../version.js"
import { functions } from "./functions.js"

/** Says who holds the lock: `held <counter> <since> <age> <owner> <state of its run>`, and the holder's own words. */
const tellHolder = `
tell_holder() {
  at=0
  if [ "$owner" = - ]; then what=hand; else what=$(state "$base/runs/$owner"); fi
  say "held $counter $since $(($(now) - since)) $owner $what"
  [ -z "$said" ] || say "holder $said"
}
`

/** Takes the lock for `$owner_wanted`, whose words are `$words`; what stands in the way ends the script with a reply. */
const acquire = `${tellHolder}
refuse() { say "refused $(say "$*" | head -n 1)"; exit 0; }

take() {
  mkdir "$base/lock" 2>/dev/null || return 1
  first "$base/counter"
  case $line in ''|*[!0-9]*) line=0 ;; esac
  n=$((line + 1))
  why=$({ say "$n" >"$base/counter.$$" && say "$n $(now) $1
$2" >"$base/lock/holder" && mv -f "$base/counter.$$" "$base/counter"; } 2>&1) || {
    rm -rf "$base/lock" "$base/counter.$$"
    refuse "$(why_not)" "$why"
  }
  say "locked $n"
}

# Whether a holder that is not there any more may be put aside.
is_dead() {
  case $owner in -) return 1 ;; esac
  case $(state "$base/runs/$owner") in
    running) return 1 ;;
    prepared) [ $(($(now) - since)) -gt 60 ] ;;
  esac
}

# $1 owner, $2 words, $3 whether to take over from a dead one, $4 an owner to inherit from
acquire() {
  why=$(LC_ALL=C mkdir -p "$base/runs" 2>&1) || refuse "$why"
  for try in 1 2 3 4 5; do
    take "$1" "$2" && return
    [ -d "$base/lock" ] || refuse "$(LC_ALL=C mkdir "$base/lock" 2>&1 || :)"
    if ! holder; then
      # Taken this moment, and not signed yet; or nobody ever will.
      nap 0.2
      holder || { [ "$try" -ge 4 ] && [ "$3" = 1 ] && rm -rf "$base/lock"; continue; }
    fi
    if [ "$owner" = "$1" ] && [ "$1" != - ]; then say "locked $counter"; return; fi
    if [ -n "$4" ] && [ "$owner" = "$4" ]; then release "$4"; continue; fi
    if [ "$3" = 1 ] && is_dead; then release "$owner"; continue; fi
    break
  done
  if holder; then tell_holder; else say "held 0 $(now) 0 ? none"; fi
  exit 0
}
`

/** The commit that is checked out, and the one that is wanted: `commit <sha>`, `wanted <sha>`, `missing`, `nowhere`. */
const lookAtVersion = `
${findCommit}
look() {
  [ -n "$1" ] || return 0
  cd -- "$(expand "$1")" 2>/dev/null || { say nowhere; return 1; }
  git rev-parse --git-dir >/dev/null 2>&1 || return 0
  say "commit $(git rev-parse --verify --quiet HEAD 2>/dev/null)"
  [ -n "$2" ] || return 0
  wanted=$(find_commit "$2") || { [ "$3" = fetch ] && fetch_all && wanted=$(find_commit "$2"); } || { say missing; return 1; }
  say "wanted $wanted"
}
`

/** Takes the lock and finds out what is there. Arguments: words, take over, inherit, meta, project path, wanted version. */
export const prepare = `${functions}${acquire}${lookAtVersion}
acquire "$id" "$1" "$2" "$3"
why=$({
  LC_ALL=C mkdir -p "$run" && say "$4" >"$run/meta" &&
    printf '%-600s\\n' '' >"$run/status" && printf '%-400s\\n' '' >"$run/ending" &&
    printf '%-30s\\n%-170s\\n' '' '' >"$run/runner" && cp "$run/runner" "$run/child" && : >"$run/output"
} 2>&1) || {
  rm -rf "$run"
  release "$id"
  refuse "$(why_not)" "$why"
}
( look "$5" "$6" fetch ) || { rm -rf "$run"; release "$id"; exit 0; }
# The ten last are kept.
ls "$base/runs" | sort -r | tail -n +11 | while read -r old; do
  [ "$(state "$base/runs/$old")" = running ] || rm -rf "$base/runs/$old"
done
say ready
`

/**
 * Sees a run through, whoever watches: each step in a session of its own, within the time it may take.
 * Arguments: directory, seconds, whether the lock is released at the end, umask. It calls itself for each step: `step`, its
 * name, directory, umask.
 */
const runner = `${functions}
if [ "$1" = step ]; then
  sign "$run/child"
  [ -z "$3" ] || cd -- "$3" || exit
  umask "$4"
  exec sh "$run/$2"
fi
exec </dev/null >>"$run/output" 2>&1
sign "$run/runner"

# Of the clock that only ever goes on, where there is one.
stamp() { { read -r at rest </proc/uptime; } 2>/dev/null || at=$(now); }

(
  left=$2
  while [ "$left" -gt 0 ]; do sleep 1; left=$((left - 1)); is_over "$run" && exit; done
  put "$run/ending" timeout
  first "$run/child"
  [ -n "$line" ] && stop_tree "$line"
) &
watch=$!

code=0 steps=
for step in pre command post; do
  [ -f "$run/$step" ] || continue
  first "$run/ending"
  [ -z "$line" ] || { code=143; break; }
  stamp
  begin=$at
  # In the foreground: what a shell puts into the background ignores Ctrl-C for ever, and so would all that it starts.
  $setsid sh "$run/runner.sh" "$service" "$id" step "$step" "$1" "$4"
  code=$?
  stamp
  steps="$steps $step:$code:$begin:$at"
  [ "$code" = 0 ] || break
done
kill "$watch" 2>/dev/null
commit=-
if [ -n "$1" ]; then commit=$(cd -- "$1" && git rev-parse --verify --quiet HEAD) 2>/dev/null || commit=-; fi
room=yes
printf %1024s . >"$run/room" 2>/dev/null || room=no
rm -f "$run/room"
first "$run/ending"
[ "$3" = 1 ] && release "$id"
put "$run/status" "over $code $(now) $commit $room $steps; $line"
`

/**
 * Starts the run, once, and follows it from a byte of its output on: stdout is that output, stderr tells on lines with a
 * token before them: the step, and at last how it ended.
 * Arguments: token, mode (`start` or `attach`), offset, project path, seconds, release. With `start` the input holds what
 * nobody else on the host need see: assignments to `pre`, `command` and `post`, a line that is the token, the assignments
 * that the steps find in their environment, and the token again.
 */
export const follow = `${functions}
token=$1 mode=$2 offset=$3
tell() { printf '%s %s\\n' "$token" "$*" >&2; }

read_input() {
  text=
  while IFS= read -r line && [ "$line" != "$token" ]; do text="$text$line
"; done
}

write_steps() {
  pre= command= post=
  eval "$1"
  [ -z "$pre" ] || say "$pre" >"$run/pre" || return 1
  say "$command" >"$run/command" || return 1
  [ -z "$post" ] || say "$post" >"$run/post" || return 1
  cat >"$run/runner.sh" <<'END OF RUNNER'
${runner}
END OF RUNNER
}

watch() {
  exec 3<"$run/output" || { tell none; return; }
  [ "$offset" -lt 4096 ] || dd bs=4096 count=$((offset / 4096)) <&3 >/dev/null 2>&1
  [ $((offset % 4096)) = 0 ] || dd bs=1 count=$((offset % 4096)) <&3 >/dev/null 2>&1
  quick=0 idle=0
  while :; do
    if is_over "$run"; then over=1; else over=; fi
    cat <&3 2>/dev/null || return
    [ -z "$over" ] || break
    idle=$((idle + 1))
    if [ $((idle % 20)) = 0 ]; then
      is_alive "$run" || is_over "$run" || break
      # Shows that the link holds; without one, this ends here.
      tell alive || return
    fi
    if [ "$quick" -lt 20 ]; then quick=$((quick + 1)); nap 0.02; else nap 0.25; fi
  done
  cat <&3 2>/dev/null
  if is_over "$run"; then tell "$line"; else tell "$(state "$run")"; fi
}

[ -d "$run" ] || { tell none; exit 0; }
if [ "$mode" = start ]; then
  read_input
  steps=$text
  read_input
  if [ ! -d "$run/launched" ]; then
    holder && [ "$owner" = "$id" ] || { tell unlocked; exit 0; }
    why=$(write_steps "$steps" 2>&1) || { tell "refused $(why_not) $(say "$why" | head -n 1)"; exit 0; }
    sign "$run/runner"
    if mkdir "$run/launched" 2>/dev/null; then
      set -- sh "$run/runner.sh" "$service" "$id" "$(expand "$4")" "$5" "$6" "$mask"
      [ -z "$setsid" ] || set -- setsid "$@"
      # A pipe, not the background: see the runner. The assignments come last, for they may be of any name.
      ( eval "$text"; exec "$@" ) </dev/null >/dev/null 2>&1 | watch
      exit 0
    elif [ ! -d "$run/launched" ]; then tell "refused $(LC_ALL=C mkdir "$run/launched" 2>&1)"; exit 0
    fi
  fi
fi
watch
`

/**
 * Looks, and changes nothing: the lock, and each run that is asked for, or the newest: `run <id> <state> <age> <status>`,
 * `meta <json>`. Arguments: ids.
 */
export const inspect = `${functions}${tellHolder}
if holder; then tell_holder; fi
[ $# -gt 0 ] || set -- $(ls "$base/runs" 2>/dev/null | sort -r | head -n 1)
for one in "$@"; do
  what=$(state "$base/runs/$one")
  first "$base/runs/$one/status"
  say "run $one $what $line"
  first "$base/runs/$one/meta"
  say "meta $line"
done
`

/** Asks a run to end before its time, and waits until it has. Arguments: why, for its status. */
export const cancel = `${functions}
case $(state "$run") in
  running) ;;
  prepared) mkdir "$run/launched" 2>/dev/null; put "$run/ending" "$1"; release "$id"; put "$run/status" "over 143 $(now) - yes ; $1"; say over; exit 0 ;;
  *) state "$run"; exit 0 ;;
esac
put "$run/ending" "$1"
n=0
while [ $n -lt 100 ] && [ "$(state "$run")" = running ]; do
  first "$run/child"
  [ -n "$line" ] && stop_tree "$line"
  nap 0.1
  n=$((n + 1))
done
state "$run"
`

/** Takes the lock by hand. Arguments: words, take over, inherit. */
export const lock = `${functions}${acquire}
acquire - "$1" "$2" "$3"
`

/** Releases the lock of the owner `$1`; `released`, `held …` by another, or `free`. */
export const unlock = `${functions}${tellHolder}
if release "$1"; then
  # What never began leaves nothing behind.
  [ "$1" = - ] || [ -d "$base/runs/$1/launched" ] || rm -rf "$base/runs/$1"
  say released
elif holder; then tell_holder
else say free
fi
`

/**
 * What a deployment would find: the lock, the commit that is there, the one that would come, and the commits between. What git
 * has to fetch for that goes into a directory of its own, so that nothing in the repository changes.
 * Arguments: project path, wanted version, whether the command pulls, a version to go back to.
 */
export const survey = `${functions}${tellHolder}${findCommit}
if holder; then tell_holder; fi
say looked
[ -n "$1" ] || exit 0
cd -- "$(expand "$1")" 2>/dev/null || { say nowhere; exit 0; }
git rev-parse --git-dir >/dev/null 2>&1 || exit 0
from=$(git rev-parse --verify --quiet HEAD) && say "commit $from"
if [ -n "$4" ]; then
  if git rev-parse --verify --quiet "$4^{commit}" >/dev/null; then say 'rollback yes'; else say 'rollback no'; fi
fi
scratch=$(mktemp -d) || exit 0
trap 'rm -rf "$scratch"' EXIT
objects=$(git rev-parse --git-path objects)
case $objects in /*) ;; *) objects=$(pwd)/$objects ;; esac
export GIT_OBJECT_DIRECTORY="$scratch" GIT_ALTERNATE_OBJECT_DIRECTORIES="$objects" GIT_TERMINAL_PROMPT=0
url=$(git remote get-url origin 2>/dev/null)
bring() { git -c gc.auto=0 fetch --quiet --no-tags --no-write-fetch-head "$url" "$1" >/dev/null 2>&1; }
at_origin() { git ls-remote --quiet "$url" "$1" 2>/dev/null | { read -r sha rest; [ -n "$sha" ] && say "$sha"; }; }
to=
if [ -n "$2" ]; then
  to=$(find_commit "$2") || { to=$(at_origin "$2") && bring "$2"; } || { bring "$2" && to=$2; } || say missing
elif [ "$3" = 1 ]; then
  branch=$(git symbolic-ref --quiet --short HEAD || git config context.branch)
  [ -n "$branch" ] && to=$(at_origin "refs/heads/$branch") && bring "refs/heads/$branch"
fi
[ -n "$to" ] || exit 0
say "wanted $to"
[ -n "$from" ] || exit 0
if [ "$from" != "$to" ] && git merge-base --is-ancestor "$to" "$from" 2>/dev/null; then
  say backwards
  git log -n 30 --format='log %h %s' "$to..$from"
else
  git log -n 30 --format='log %h %s' "$from..$to" 2>/dev/null
fi
say listed
`
