# A CRIU that works on this kernel, and a crun that was built with CRIU.

# A CRIU has to fit the kernel, and `criu check` does not notice all: CRIU 4.1 passes on kernel 6.16 and newer but
# fails on every TCP socket (checkpoint-restore/criu issue 2705). So a process with a socket is dumped for a test.
criu_works() { "$1" check >/dev/null 2>&1 && dumps_sockets "$1"; }

# Only a complaint about sockets counts: the caller's other open files, which the process inherits, may hinder a
# dump as well and tell nothing about CRIU.
dumps_sockets() {
  dump=$(mktemp -d "$temp/dump.XXXXXX")
  mkdir "$dump/empty"
  setsid busybox httpd -f -p 127.0.0.1:0 -h "$dump/empty" </dev/null >/dev/null 2>&1 9>&- &
  listener=$!
  tries=0
  until grep -q socket: "$dump/fds" 2>/dev/null || [ "$tries" -ge 100 ]; do
    ls -l "/proc/$listener/fd" >"$dump/fds" 2>/dev/null || true
    tries=$((tries + 1))
    sleep 0.02
  done
  "$1" dump --tree "$listener" --images-dir "$dump" --log-file dump.log --leave-running \
    >/dev/null 2>&1 || true
  kill -9 "$listener" 2>/dev/null || true
  wait "$listener" 2>/dev/null || true
  ! grep -q 'Error (criu/sockets' "$dump/dump.log"
}

# crun loads libcriu when it checkpoints; +CRIU in its version says only that it was built to do so.
crun_works() { "$1" --version 2>/dev/null | grep -q -- '+CRIU'; }
host_crun_works() {
  have crun && crun_works crun && ldconfig -p | grep -q 'libcriu\.so\.2 '
}

# The version of a package that the host's own suites offer, or nothing.
offered_version() { apt-cache policy "$1" 2>/dev/null | awk '/Candidate:/ && $2 != "(none)" { print $2 }'; }

# Kernels since 6.13 need CRIU 4.1 (vDSO), since 6.16 CRIU 4.2 (sockets); asking before the install leaves no
# useless package on the host.
offered_criu_may_work() {
  version=$(offered_version criu)
  [ -n "$version" ] || return 1
  kernel=$(uname -r)
  if dpkg --compare-versions "$kernel" ge 6.16; then
    dpkg --compare-versions "$version" ge 4.2
  elif dpkg --compare-versions "$kernel" ge 6.13; then
    dpkg --compare-versions "$version" ge 4.1
  fi
}

install_criu() {
  if [ -x "$tools/bin/criu" ] && criu_works "$tools/bin/criu"; then return 0; fi
  if have criu && criu_works criu; then return 0; fi
  if have apt-get; then
    update_lists
    if offered_criu_may_work && ! is_installed criu; then
      apt_install criu
      if criu_works criu; then return 0; fi
      say "the distribution's CRIU does not work on kernel $(uname -r)."
    fi
    if install_closure criu usr/sbin/criu criu_works criu; then return 0; fi
  fi
  [ -n "${fetched_suites:-}" ] || die "no CRIU here works on kernel $(uname -r), and none could be fetched from \
Debian $(newer_suites) (apt's words are above). Check with 'apt-get update' that the mirror is reachable and has one \
of these suites, or install CRIU 4.2 or newer by other means; then run this again."
  die "no CRIU works on kernel $(uname -r), not even that of Debian$fetched_suites. 'criu check --all' names what \
the kernel lacks (CONFIG_CHECKPOINT_RESTORE above all); kernels since 6.13 need CRIU 4.1 or newer, since 6.16 CRIU \
4.2: install one that can dump a process with a socket, then run this again."
}

# crun is a choice beside runc, so a host without a suitable one is told and goes on.
install_crun() {
  if [ -x "$tools/bin/crun" ] && crun_works "$tools/bin/crun"; then return 0; fi
  if host_crun_works; then return 0; fi
  have apt-get || { say "no crun with CRIU here; containers run with runc."; return 0; }
  if [ "$(host_suite)" != bookworm ] && [ -n "$(offered_version libcriu2)" ]; then
    apt_install crun libcriu2
    if host_crun_works; then return 0; fi
  fi
  install_closure crun usr/bin/crun crun_works crun libcriu2 ||
    say "no crun with CRIU could be fetched; containers run with runc."
}
