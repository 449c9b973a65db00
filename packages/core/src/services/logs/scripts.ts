/** What is run on a host to read logs: POSIX shell, constant. What it says of the log itself goes to stderr, after a token. */

/**
 * Follows a file through rotation, from where a reader stopped. stdout is the file's bytes; stderr says at which byte of stdout
 * which part of which file begins (`file <offset> <byte>`), or that something is not there any more (`gap <byte>`).
 *
 * Where a reader stopped is an offset and the bytes before it, in hex: a file whose bytes there differ is another file, whatever
 * its name. One that was rotated by renaming is read to its end before the new one; one that was copied and truncated is found
 * again in its copy.
 * Arguments: token, path, how many lines to begin with (or `all`), whether to follow, offset and mark (empty to begin).
 */
export const followFile = `
token=$1 path=$2 lines=$3 follow=$4 offset=$5 last=$6
case $path in /*) ;; '~/'*) path=$HOME/\${path#'~/'} ;; *) path=$HOME/$path ;; esac

nap() { sleep "$1" 2>/dev/null || sleep 1; }
tell() { printf '%s %s\\n' "$token" "$*" >&2; }

# Inode and size of what is open, and of what the path names now.
look() {
  open_inode= open_size=0 path_inode= path_size=0
  found=$(LC_ALL=C ls -lndiL /dev/fd/3 "$path" 2>/dev/null)
  while read -r inode mode links owner group size rest; do
    case $rest in
      *' /dev/fd/3') open_inode=$inode open_size=$size ;;
      ?*) path_inode=$inode path_size=$size ;;
    esac
  done <<END
$found
END
}

size_of() { set -- $(LC_ALL=C ls -lndL "$1" 2>/dev/null); printf '%s\\n' "\${5:-0}"; }

# The bytes before an offset of a file, at most so many, in hex.
mark_of() {
  length=$3
  [ "$2" -ge "$length" ] || length=$2
  [ "$length" -gt 0 ] || return 0
  tail -c "+$(($2 - length + 1))" "$1" 2>/dev/null | dd bs=1 count=$length 2>/dev/null | od -An -v -tx1 | tr -d ' \\n'
}
remember() { last=$(mark_of /dev/fd/3 "$seen" 256); }

# Whether a file is the one that was read up to this offset.
is_same() { [ "$(size_of "$1")" -ge "$2" ] && [ "$(mark_of "$1" "$2" $((\${#3} / 2)))" = "$3" ]; }

total=0
# Opens a file at an offset, and says so.
enter() {
  [ -r "$1" ] || return 1
  exec 3<"$1"
  [ "$2" -lt 65536 ] || dd bs=65536 count=$(($2 / 65536)) <&3 >/dev/null 2>&1
  [ $(($2 % 65536)) -lt 512 ] || dd bs=512 count=$(($2 % 65536 / 512)) <&3 >/dev/null 2>&1
  [ $(($2 % 512)) = 0 ] || dd bs=1 count=$(($2 % 512)) <&3 >/dev/null 2>&1
  seen=$2
  tell "file $2 $total"
  # What is said must arrive before the bytes it is about, and they go another way.
  [ "$total" = 0 ] || nap 0.05
}

# Copies what is there now, and finds out how far that is.
drain() {
  cat <&3 || exit 0
  position=
  { while read -r key value; do case $key in pos:) position=$value ;; esac; done </proc/$$/fdinfo/3; } 2>/dev/null
  [ -n "$position" ] || position=$(size_of /dev/fd/3)
  total=$((total + position - seen))
  seen=$position
}

# Reads on where rotation has put it: in the file that holds what was read last, and in all that are newer.
read_rotated() {
  names=$(ls -tr "$path".* "$path"-* 2>/dev/null | grep -v '[.]\\(gz\\|bz2\\|xz\\|zst\\|lz4\\)$')
  known= at=$1
  while [ -n "$names" ]; do
    name=\${names%%
*}
    case $names in *"
"*) names=\${names#*
} ;; *) names= ;; esac
    if [ -n "$known" ]; then enter "$name" 0 && drain
    elif is_same "$name" "$at" "$last"; then known=1; enter "$name" "$at" && drain
    fi
  done
  [ -n "$known" ]
}

# Goes on in what rotation has made of the file, and in the new one. It may be rotated again meanwhile.
turn() {
  while :; do
    look
    next=$path_inode
    read_rotated "$1" || [ -n "$2" ] || tell "gap $total"
    look
    [ "$path_inode" != "$next" ] || [ -z "$next" ] || break
    [ -n "$next" ] || nap 0.1
    set -- "$seen" quietly
    remember
  done
  enter "$path" 0
  look
  [ "$open_inode" = "$next" ] || for name in "$path".* "$path"-*; do
    set -- $(ls -di "$name" 2>/dev/null)
    [ "$1" != "$next" ] || enter "$name" 0
  done
  drain
}

if [ ! -e "$path" ] && [ -z "$offset" ]; then tell none; exit 0; fi
if [ -e "$path" ] && [ ! -r "$path" ]; then tell denied; exit 0; fi
if [ -z "$offset" ]; then
  all=$(size_of "$path")
  case $lines in
    all) enter "$path" 0 ;;
    *) enter "$path" $((all - $(head -c "$all" "$path" | tail -n "$lines" | wc -c))) ;;
  esac
elif is_same "$path" "$offset" "$last"; then enter "$path" "$offset"
else
  seen=$offset
  turn "$offset"
fi
drain
[ -n "$follow" ] || exit 0
remember
idle=0
while :; do
  look
  # The same size may still be another content, if rarely: that is looked at once, when it is quiet.
  if [ "$open_size" -ne "$seen" ] || { [ "$idle" = 5 ] && ! is_same /dev/fd/3 "$seen" "$last"; }; then
    idle=0
    # Truncated, or truncated and grown again: what was not read yet is in the copy that was made before.
    if is_same /dev/fd/3 "$seen" "$last"; then drain; else turn "$seen"; fi
    remember
  elif [ -n "$path_inode" ] && [ "$path_inode" != "$open_inode" ] && [ "$path_size" -gt 0 ]; then
    # Renamed, and its writer has begun the new one; there may be others between them.
    drain
    remember
    turn "$seen" quietly
    remember
  else
    idle=$((idle + 1))
    [ $((idle % 20)) != 0 ] || tell alive || exit 0
    if [ "$idle" -lt 50 ]; then nap 0.1; else nap 0.4; fi
  fi
done
`

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
