#!/bin/sh
# Stops the running service, if any, and starts the one that is checked out here. PORT says where it listens.
set -eu
if [ -f service.pid ]; then kill "$(cat service.pid)" 2>/dev/null || true; fi
nohup node server.mjs >service.log 2>&1 </dev/null &
echo $! >service.pid
echo "started $(git rev-parse --short HEAD) as process $(cat service.pid)"
