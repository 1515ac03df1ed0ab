#!/bin/sh
# Runs Node 24 wherever set-up put it: sh scripts/node.sh FILE [ARGUMENT...]
node=${CRYOPOD_TOOLS:-/usr/local/lib/cryopod}/node/bin/node
[ -x "$node" ] || {
  echo "Node 24 is not ready: run 'sh scripts/setup.sh' as root first." >&2
  exit 1
}
exec "$node" --disable-warning=ExperimentalWarning "$@"
