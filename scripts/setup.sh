#!/bin/sh
# Make this machine ready for cryopod; say what is done, and nothing when all is ready already.
#
#   sh scripts/setup.sh          what the engine needs
#   sh scripts/setup.sh demo     the same and what `npm run demo` freezes
#   sh scripts/setup.sh test     the same and what the tests run and compare with
#   sh scripts/setup.sh bench    what the engine needs and what `npm run bench` compares with
#
# Everything that does not come from the distribution's own suite lives under one directory
# (CRYOPOD_TOOLS, default /usr/local/lib/cryopod), which can be deleted at any time.
set -eu
umask 022

profile=${1:-engine}
here=$(cd "$(dirname "$0")" && pwd -P)
repo=$(dirname "$here")
tools=${CRYOPOD_TOOLS:-/usr/local/lib/cryopod}

. "$here/setup/common.sh"
. "$here/setup/packages.sh"
. "$here/setup/node.sh"
. "$here/setup/closure.sh"
. "$here/setup/criu.sh"
. "$here/setup/limits.sh"
. "$here/setup/modules.sh"

case $profile in
engine | demo | test | bench) ;;
*) die "unknown set-up '$profile': choose engine, demo, test or bench." ;;
esac
[ "$(uname -s)" = Linux ] || die "cryopod runs on Linux only; this is $(uname -s)."
[ "$(id -u)" = 0 ] || die "root is needed (namespaces, mounts, cgroups, CRIU): run the same command with sudo."

stamp=$tools/ready/$profile
state=$(ready_state)
if [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$state" ] && still_there; then
  modules_ready || install_modules
  build_bundle
  exit 0
fi

mkdir -p "$tools/bin" "$tools/ready"
exec 9>"$tools/lock"
flock 9
temp=$(mktemp -d "$tools/setup.XXXXXX")
trap 'clean_up' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

install_packages "$profile"
install_node
install_criu
let_criu_read_limits
install_crun
modules_ready || install_modules
build_bundle
printf '%s\n' "$(ready_state)" >"$stamp"
