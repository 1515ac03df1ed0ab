# Shared by the parts of scripts/setup.sh: messages, the record of a finished set-up, clean-up.

say() { printf 'set-up: %s\n' "$*"; }

die() {
  printf 'set-up: %s\n' "$*" >&2
  exit 1
}

have() { command -v "$1" >/dev/null 2>&1; }

# Run a command with its output kept aside; on failure show the end of it and return its status.
quietly() {
  quiet_log=$(mktemp)
  if "$@" >"$quiet_log" 2>&1; then
    rm -f "$quiet_log"
    return 0
  else
    quiet_status=$?
  fi
  tail -n 12 "$quiet_log" | sed 's/^/set-up:   /' >&2
  rm -f "$quiet_log"
  return "$quiet_status"
}

# What a finished set-up depends on: these scripts, the kernel, the host's suite and the tools' directory.
ready_state() {
  {
    cat "$here/setup.sh" "$here"/setup/*
    uname -r
    cat /etc/os-release 2>/dev/null || true
    printf '%s\n' "$tools"
  } | sha256sum | cut -d ' ' -f 1
}

# Cheap proof that nobody removed since what set-up installed.
still_there() {
  for tool in runc conmon skopeo zstd nft ip busybox nsenter; do
    have "$tool" || return 1
  done
  { [ -x /usr/lib/podman/netavark ] || have netavark; } || return 1
  [ -x "$tools/node/bin/node" ] || return 1
  { [ -x "$tools/bin/criu" ] || have criu; } || return 1
  [ -x "$tools/bin/crun" ] || have crun
}

clean_up() {
  allow_services
  rm -rf "$temp"
}
