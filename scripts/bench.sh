#!/bin/sh
# npm run bench: makes this machine ready, then measures cryopod beside a real podman; see bench/main.ts for its options.
set -eu
cd "$(dirname "$0")/.."
sh scripts/setup.sh bench
exec sh scripts/node.sh bench/main.ts "$@"
