#!/bin/sh
# npm run demo: makes this machine ready, then freezes and thaws a Redis full of data under a talking client.
set -eu
cd "$(dirname "$0")/.."
sh scripts/setup.sh demo
exec sh scripts/node.sh scripts/demo.ts
