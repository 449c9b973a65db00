#!/bin/sh
# Deploys from CI with curl alone, through `context infra serve`. Exits with 1 unless the new version is live and well.
#   CONTEXT_URL    where the server listens, for example http://127.0.0.1:4400
#   CONTEXT_TOKEN  its bearer token
#   usage: deploy.sh <service> [<version>]
set -eu
service=$1
version=${2:-}

body='{}'
if [ -n "$version" ]; then body=$(printf '{"version":"%s"}' "$version"); fi

# The token travels on standard input, so that no list of processes shows it.
answer=$(printf 'header = "authorization: Bearer %s"\n' "$CONTEXT_TOKEN" |
  curl --silent --show-error --config - \
    --header 'content-type: application/json' --header 'x-context-actor: ci' \
    --data "$body" "$CONTEXT_URL/v1/services/$service/deploy")

echo "$answer"
case $answer in
*'"status":"success"'*) ;;
*) exit 1 ;;
esac
