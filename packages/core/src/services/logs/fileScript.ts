/** What is run on a host to follow a file: POSIX shell, constant. */

/**
 * Follows a file through rotation, from where a reader stopped.
 *
 * stdout is the file's bytes, and between them, each after a record separator and the token, what they are:
 * `at <inode> <offset> <mark>`: the bytes from here on are that file's from that offset on, and the mark is what stands before
 * it; `gap`: something is not there any more; `none`, `denied`: there is nothing to read; `alive`. Both come on one stream, so
 * wherever the link breaks, whoever reads knows which byte of which file came last.
 *
 * A file is known again by its inode and the bytes before the offset, in hex; one that was copied and truncated, or compressed,
 * by those bytes alone. A file is opened first and looked at then: between a look and an opening it may be renamed.
 * Arguments: path, how many lines to begin with (or `all`), whether to follow; inode, offset and mark (empty to begin).
 * The token is on standard input: whoever writes to the log must not find it in the list of processes.
 */
export const followFile = `
LC_ALL=C TZ=UTC0; export LC_ALL TZ
IFS= read -r token
path=$1 lines=$2 follow=$3 inode=$4 offset=$5 mark=$6
case $path in /*) ;; '~/'*) path=$HOME/\${path#'~/'} ;; *) path=$HOME/$path ;; esac
case \${path##*/} in ?*.*) stem=\${path%.*} ending=.\${path##*.} ;; *) stem=$path ending= ;; esac
exec 3<&- 4<&-

nap() { sleep "$1" 2>/dev/null || sleep 1; }
say() { printf '\\036%s %s\\n' "$token" "$*" || exit 0; }
idle=0
rest() {
  idle=$((idle + 1))
  [ $((idle % 20)) != 0 ] || say alive
  if [ "$idle" -lt 50 ]; then nap 0.1; else nap 0.4; fi
}

inode_of() { set -- $(ls -diL "$1" 2>/dev/null); printf %s "$1"; }
size_of() { set -- $(ls -lndL "$1" 2>/dev/null); printf %s "\${5:-0}"; }
hex() { od -An -v -tx1 | tr -d ' \\n'; }

# The bytes before an offset of a file, at most so many, in hex.
mark_of() {
  length=$3
  [ "$2" -ge "$length" ] || length=$2
  [ "$length" = 0 ] || dd if="$1" bs=1 skip=$(($2 - length)) count=$length 2>/dev/null | hex
}
unpacked_mark() {
  gzip -dc </dev/fd/4 2>/dev/null | tail -c "+$(($1 - $2 + 1))" | dd bs=1 count="$2" 2>/dev/null | hex
}

# Whether 4 has these bytes before this offset.
has() {
  if [ -n "$packed" ]; then [ "$(unpacked_mark "$1" $((\${#2} / 2)))" = "$2" ]
  else [ "$(size_of /dev/fd/4)" -ge "$1" ] && [ "$(mark_of /dev/fd/4 "$1" $((\${#2} / 2)))" = "$2" ]
  fi
}

# Inode and name of files by age: t with the newest first, tr with the oldest. The ls of busybox knows whole seconds only.
coarse=
[ -z "$follow$offset" ] || case $(ls --help 2>&1) in *BusyBox*) ! stat -c %y / >/dev/null 2>&1 || coarse=1 ;; esac
by_age() {
  by=$1
  shift
  if [ -z "$coarse" ]; then ls "-idL$by" "$@" 2>/dev/null; return; fi
  case $by in t) by='-k1,2r -k5' ;; *) by='-k1,2 -k5r' ;; esac
  stat -Lc '%y %i %n' "$@" 2>/dev/null | sort $by | sed 's/^[^ ]* [^ ]* [^ ]* //'
}

# The file, and what rotation has made of it: inode and name, by age. A stem alone has many siblings
# that are other logs, so there the rest must be a date.
names() {
  order=$1
  set -- "$path"
  for name in "$path"[._-]* "$stem"[._-]*"$ending" "$stem"[._-]*"$ending".gz; do
    plain=\${name%.gz}
    case $plain in
      "$path"*) part=\${plain#"$path"} ;;
      *[0-9][0-9]*[0-9][0-9]*[0-9][0-9]*) part=\${plain#"$stem"} part=\${part%"$ending"} ;;
      *) continue ;;
    esac
    case $part in .old) ;; *[!0-9TZ_:.-]*) continue ;; *[0-9]*) ;; *) continue ;; esac
    # One that is just being compressed is still there itself.
    [ "$name" = "$plain" ] || [ ! -e "$plain" ] || continue
    [ ! -f "$name" ] || set -- "$@" "$name"
  done
  by_age "$order" /dev/fd/3 "$@"
}

# The same, when it is twice the same: in the middle of a rotation a file may get by under the name that it had, and under the
# one that it has then.
list() {
  before=$(names "$1")
  for try in 1 2 3 4 5 6 7 8 9; do
    listed=$(names "$1")
    [ "$listed" != "$before" ] || break
    before=$listed
  done
  printf '%s\n' "$listed"
}

# Opens a file as 4, if it is the one that was listed.
open() {
  [ -r "$2" ] && { command exec 4<"$2"; } 2>/dev/null && [ "$(inode_of /dev/fd/4)" = "$1" ] || return 1
  case $2 in "$path") packed= ;; *.gz) packed=1 ;; *) packed= ;; esac
}
open_inode() {
  while read -r number name; do
    if [ "$number" = "$1" ] && [ "$name" != /dev/fd/3 ] && open "$number" "$name"; then return 0; fi
  done <<END
$(list t)
END
  return 1
}
# The newest that has these bytes before this offset.
open_content() {
  [ -n "$2" ] || return 1
  while read -r number name; do
    if [ "$name" != /dev/fd/3 ] && open "$number" "$name" && has "$1" "$2"; then return 0; fi
  done <<END
$(list t)
END
  return 1
}
open_path() {
  until open "$(inode_of "$path")" "$path"; do rest; done
}

# What 3 is known by: the bytes before an offset, and before the one that was taken before that. They are taken before what
# they are about is sent: whoever has seen it may truncate the file at once.
remember() {
  if [ "$1" -lt 256 ]; then wanted=$(($1 * 2)); else wanted=512; fi
  [ "$1" != "$ref" ] || [ \${#mark} != "$wanted" ] || return 0
  now=$(mark_of /dev/fd/3 "$1" 256)
  [ \${#now} = "$wanted" ] || return 0
  old_ref=$ref old_mark=$mark ref=$1 mark=$now
}
is_intact() {
  now=$(mark_of /dev/fd/3 "$ref" $((\${#mark} / 2)))
  # It may have been made unreadable for those who have not opened it yet.
  [ -z "$now" ] || [ "$now" = "$mark" ]
}

# Goes on in 4, at an offset. What is known to be before it is told: the file may be truncated at any moment.
enter() {
  exec 3<&4 4<&-
  inode=$(inode_of /dev/fd/3) was_path= seen=$1 ref=0 mark=$2 old_ref=0 old_mark=
  [ -z "$mark" ] || ref=$seen
  if [ -n "$packed" ]; then
    say at "$inode" "$seen" "$mark"
    gzip -dc <&3 2>/dev/null | tail -c "+$((seen + 1))"
    seen=$(size_of /dev/fd/3)
    remember "$seen"
    return
  fi
  [ "$seen" -lt 65536 ] || dd bs=65536 skip=$((seen / 65536 - 1)) count=1 <&3 >/dev/null 2>&1
  [ $((seen % 65536)) = 0 ] || dd bs=1 skip=$((seen % 65536 - 1)) count=1 <&3 >/dev/null 2>&1
  remember "$seen"
  say at "$inode" "$seen" "$mark"
  drain
}

# Copies what is there now, and finds out how far that is. One that was just truncated is left to the next look; one that is
# truncated and grows past that place within the milliseconds from here to the reading is not seen to have been.
drain() {
  size=$(size_of /dev/fd/3)
  [ "$size" -ge "$seen" ] || return 0
  remember "$size"
  cat <&3 || exit 0
  position=
  { while read -r key value; do case $key in pos:) position=$value ;; esac; done </proc/$$/fdinfo/3; } 2>/dev/null
  [ -n "$position" ] || position=$(size_of /dev/fd/3)
  seen=$position
}

# 3 was truncated: what was not read of it is in the copy that was made before.
find_copy() {
  if { open_content "$ref" "$mark" || open_content "$old_ref" "$old_mark"; } 2>/dev/null; then
    # A copy that is shorter than what was read has been read.
    if [ -n "$packed" ] || [ "$(size_of /dev/fd/4)" -ge "$seen" ]; then enter "$seen"; return; fi
  else say gap
  fi
  open_path
  enter 0
}

# The file that came after 3: the oldest that is younger, or else what the path names. All of it is from one look: what was the
# path's a moment ago may be anywhere.
choose() {
  next= past= last=
  while read -r number name; do
    case $name in
      /dev/fd/3) past=1 ;;
      "$path") last=$number ;;
      *)
        [ -n "$past" ] && [ "$number" != "$inode" ] || continue
        # Compressed meanwhile, and as old as before. Nothing is known again by nothing.
        case $name in *.gz) [ -n "$mark" ] && open "$number" "$name" && has "$ref" "$mark" && continue ;; esac
        next=$number
        return
        ;;
    esac
  done <<END
$(list tr)
END
  next=$last
  [ -n "$next" ] && [ "$next" != "$inode" ]
}

# Whether what 4 was opened as is still what came after 3: a file that was compressed meanwhile is gone, and a new one may have
# its inode by then. The inode of one that is open is nobody else's.
is_next() {
  chosen=$next was_packed=$packed
  exec 5<&4
  choose
  exec 4<&5 5<&-
  packed=$was_packed
  [ "$next" = "$chosen" ]
}

# 3 was read to its end, and the path is another file: goes on in the one that came after 3.
advance() {
  if [ -z "$was_path" ] && [ \${#mark} = 512 ] && open_path && has "$ref" "$mark"; then
    # 3 is a copy of what has not been truncated yet.
    enter "$seen"
    return
  fi
  tries=0
  # What was chosen may be compressed, or gone, before it is opened.
  until choose && open_inode "$next" && is_next; do
    tries=$((tries + 1))
    if [ "$tries" = 10 ]; then
      say gap
      open_path
      break
    fi
    nap 0.05
  done
  enter 0
}

# Goes on where a reader stopped, wherever rotation has put it.
resume() {
  for try in 1 2 3 4 5; do
    if { open_inode "$inode" && has "$offset" "$mark"; } || open_content "$offset" "$mark"; then
      enter "$offset" "$mark"
      return
    fi
    # It may have been renamed or compressed between two looks.
    nap 0.1
  done
  say gap
  open_path
  enter 0
}

# Where the last lines of 4 begin.
beginning() {
  [ "$lines" != all ] || { echo 0; return; }
  for try in 1 2 3 4 5; do
    size=$(size_of /dev/fd/4)
    bytes=$(tail -n "$lines" /dev/fd/4 | wc -c)
    if [ "$(size_of /dev/fd/4)" = "$size" ]; then echo $((size - bytes)); return; fi
  done
  # It grows all the time.
  echo $((size - $(head -c "$size" /dev/fd/4 | tail -n "$lines" | wc -c)))
}

# Inode and size of what is open, and of what the path names now.
look() {
  open_size=0 path_inode= path_size=0
  found=$(ls -lndiL /dev/fd/3 "$path" 2>/dev/null)
  while read -r number mode links owner group size after; do
    case $after in
      *' /dev/fd/3') open_size=$size ;;
      ?*) path_inode=$number path_size=$size ;;
    esac
  done <<END
$found
END
  [ "$path_inode" != "$inode" ] || was_path=1
}

if [ -n "$offset" ]; then resume
elif [ ! -e "$path" ]; then say none; exit 0
elif ! { command exec 4<"$path"; } 2>/dev/null; then say denied; exit 0
else
  packed=
  enter "$(beginning)"
fi
[ -n "$follow" ] || exit 0
while :; do
  look
  # The same size may still be another content, if rarely: that is looked at once, when it is quiet.
  if [ "$open_size" -lt "$seen" ] || [ "$open_size" -lt "$ref" ] || { { [ "$open_size" != "$seen" ] || [ "$idle" = 5 ]; } && ! is_intact; }; then
    idle=0
    find_copy
  elif [ "$open_size" != "$seen" ]; then
    idle=0
    drain
    nap 0.05
  elif [ -n "$path_inode" ] && [ "$path_inode" != "$inode" ] && [ "$path_size" -gt 0 ]; then
    # Renamed, and its writer has begun the new one.
    idle=0
    drain
    advance
  else rest
  fi
done
`
