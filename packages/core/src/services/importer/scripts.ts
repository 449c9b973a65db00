/** What an import runs on this machine: constant POSIX shell. Names and paths come in as arguments. */

/**
 * Prints files: `<mark> home <path>`, `<mark> user <name>`, then `<mark> file <path>` and the text of each. `$1` is the
 * mark, the rest are patterns as `Include` has them.
 */
export const readFiles = `
mark=$1
shift
printf '\\n%s home %s\\n%s user %s\\n' "$mark" "$HOME" "$mark" "$(id -un)"
# A pattern is expanded to the names of files, and to nothing else.
IFS=
for pattern; do
  case $pattern in
    '~/'*) pattern=$HOME/\${pattern#'~/'} ;;
    /*) ;;
    *) pattern=$HOME/.ssh/$pattern ;;
  esac
  for file in $pattern; do
    [ -f "$file" ] && [ -r "$file" ] || continue
    printf '\\n%s file %s\\n' "$mark" "$file"
    head -c 500000 "$file"
  done
done
exit 0
`

/** Asks ssh what it would do for each host: \`<mark> host <name>\`, then what it says. \`$2\` is a config file or empty. */
export const askSsh = `
mark=$1 config=$2
shift 2
command -v ssh >/dev/null || exit 127
for host; do
  printf '\\n%s host %s\\n' "$mark" "$host"
  if [ -n "$config" ]; then ssh -G -F "$config" -- "$host"; else ssh -G -- "$host"; fi 2>&1 </dev/null | head -c 50000
done
exit 0
`
