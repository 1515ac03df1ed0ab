# The distribution's packages.

engine_packages='runc conmon netavark aardvark-dns skopeo zstd nftables iptables iproute2 busybox-static
  procps util-linux mount tar bzip2 xz-utils ca-certificates'
# redis-tools holds the server too: redis-server in Debian is a link to redis-check-rdb.
demo_packages='redis-tools'
test_packages='postgresql postgresql-contrib nginx podman docker-registry tmux git python3 psmisc
  qemu-system-x86 debootstrap e2fsprogs gcc libc6-dev openssh-server openssh-client'
# What `npm run bench` compares with and measures by.
bench_packages='podman time redis-tools openssh-server openssh-client'
# Services that come with the packages of the tests; they must neither start now nor at the next boot.
test_services='postgresql nginx docker-registry podman.socket podman.service podman-auto-update.timer
  podman-restart.service ssh.service ssh.socket'

is_installed() {
  [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

host_name() { (. /etc/os-release && printf '%s' "${PRETTY_NAME:-an unknown Linux}"); }
host_id() { (. /etc/os-release && printf '%s' "${ID:-unknown}"); }
host_suite() { (. /etc/os-release && printf '%s' "${VERSION_CODENAME:-}"); }

# install_packages PROFILE: bring in what is missing; on another distribution only check.
install_packages() {
  if [ ! -r /etc/os-release ] || [ "$(host_id)" != debian ]; then
    check_tools_of_other_host
    return
  fi
  case $(host_suite) in
  bookworm | trixie) ;;
  *) say "$(host_name) is not Debian 12 or 13, where cryopod is tested; trying all the same." ;;
  esac
  case $1 in
  engine) wanted=$engine_packages ;;
  demo) wanted="$engine_packages $demo_packages" ;;
  test) wanted="$engine_packages $demo_packages $test_packages" ;;
  bench) wanted="$engine_packages $bench_packages" ;;
  esac
  missing=
  for package in $wanted; do
    is_installed "$package" || missing="$missing $package"
  done
  [ -z "$missing" ] || apt_install $missing
}

# Debian's netavark is in podman's library directory, other distributions have it there or in libexec.
check_tools_of_other_host() {
  missing=
  for tool in runc conmon skopeo zstd bzip2 xz nft iptables ip busybox nsenter tar flock; do
    have "$tool" || missing="$missing $tool"
  done
  for helper in netavark aardvark-dns; do
    have "$helper" || [ -x "/usr/lib/podman/$helper" ] || [ -x "/usr/libexec/podman/$helper" ] ||
      missing="$missing $helper"
  done
  name='a Linux without /etc/os-release'
  [ ! -r /etc/os-release ] || name=$(host_name)
  [ -z "$missing" ] || die "this is $name, and set-up installs packages on Debian 12 and 13 only. \
Missing here:$missing. Install them with your package manager, then run this again."
}

update_lists() {
  [ -z "${lists_are_fresh:-}" ] || return 0
  quietly apt-get -q update -o DPkg::Lock::Timeout=300 ||
    say "apt-get update had errors (above); trying with the lists at hand."
  lists_are_fresh=1
}

# apt_install PACKAGE...: install without recommended packages and without starting any service.
apt_install() {
  say "installing packages: $*"
  update_lists
  forbid_services
  DEBIAN_FRONTEND=noninteractive quietly apt-get -q -y --no-install-recommends \
    -o DPkg::Lock::Timeout=300 -o Dpkg::Options::=--force-confold install "$@" ||
    die "the packages $* could not be installed (apt's own words are above). They come from \
Debian's mirror named in /etc/apt/sources.list or sources.list.d: check with 'apt-get update' that it is \
reachable (behind a proxy: Acquire::http::Proxy in /etc/apt/apt.conf.d), then run this again."
  allow_services
  keep_services_off "$@"
}

# policy-rc.d with status 101 is Debian's word for "start nothing"; a policy of the host's own stays.
forbid_services() {
  [ ! -e /usr/sbin/policy-rc.d ] || return 0
  printf '#!/bin/sh\n# by cryopod set-up, for the time of one install\nexit 101\n' >/usr/sbin/policy-rc.d
  chmod 755 /usr/sbin/policy-rc.d
  policy_is_ours=1
}

allow_services() {
  [ -z "${policy_is_ours:-}" ] || rm -f /usr/sbin/policy-rc.d
  policy_is_ours=
}

# Services of packages that were just installed for the tests stay off at the next boot as well.
keep_services_off() {
  [ -d /run/systemd/system ] || return 0
  for service in $test_services; do
    case " $* " in
    # openssh-server has the service ssh.
    *" ${service%%[.-]*}"* | *" open${service%%[.-]*}"*) systemctl disable "$service" >/dev/null 2>&1 || true ;;
    esac
  done
}
