#!/bin/sh
# npm run check: the one gate. Every step runs, so that one call shows all there is to mend.
set -eu
cd "$(dirname "$0")/.."
sh scripts/setup.sh

failed=
step() {
  name=$1
  shift
  "$@" || failed="$failed $name"
}
node() { sh scripts/node.sh "$@"; }

syntax() {
  for file in bin/cryopod .ci/run scripts/*.sh scripts/setup/*.sh test/lane/*.sh test/lane/guest/init; do
    sh -n "$file" || return 1
  done
}

step syntax syntax
step types node node_modules/typescript/bin/tsc -p .
step lint node node_modules/@biomejs/biome/bin/biome check --error-on-warnings
step layers node scripts/check-layers.ts
step docs node scripts/check-docs.ts

[ -z "$failed" ] || {
  echo "check: failed:$failed" >&2
  exit 1
}
echo 'check: types, lint, layers, docs are clean'
