#!/bin/sh
# npm test: set-up, the gate, then every test in one run of node's test runner, whose totals are the last lines.
#
#   npm test                              everything
#   npm test -- --unit                    only the tests beside the sources; no container runs
#   npm test -- test/cli/run.test.ts …    only these files (options of `node --test` pass as well)
set -eu
cd "$(dirname "$0")/.."

status=0
case ${1:-} in
'')
  sh scripts/setup.sh test
  sh scripts/check.sh || status=1
  set -- 'src/**/*.test.ts' 'scripts/**/*.test.ts' 'test/**/*.test.ts'
  ;;
--unit)
  sh scripts/setup.sh
  set -- 'src/**/*.test.ts' 'scripts/**/*.test.ts'
  ;;
*) sh scripts/setup.sh test ;;
esac

# Two files at a time: most of the time a test waits. Each has a store and a network namespace of its own, knows what it
# leaves by marks of its own, and measures nothing by the clock.
sh scripts/node.sh --test --test-reporter=spec --test-concurrency=2 --test-timeout=600000 "$@" || status=1
exit "$status"
