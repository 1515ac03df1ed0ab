# CRIU on a host without CAP_SYS_RESOURCE (a container, a small virtual machine): it may not ask for the limits of
# processes that are not root's and cannot freeze them. prlimit.c, loaded into CRIU, reads them from /proc.

# Bit 24 of the effective capabilities (capability.h).
has_sys_resource() {
  [ $((0x$(awk '/^CapEff:/ { print $2 }' /proc/self/status) >> 24 & 1)) = 1 ]
}

let_criu_read_limits() {
  if has_sys_resource; then return 0; fi
  if ! build_prlimit "$temp/prlimit.so"; then
    say "no C compiler here, and this host lacks CAP_SYS_RESOURCE: only containers whose processes are all root's \
can be checkpointed. Install gcc or tcc, then run this again."
    return 0
  fi
  mkdir -p "$tools/lib"
  mv "$temp/prlimit.so" "$tools/lib/prlimit.so"
  if [ -x "$tools/bin/criu" ]; then
    grep -q -- --preload "$tools/bin/criu" ||
      sed -i "s|' --library-path|' --preload '$tools/lib/prlimit.so' --library-path|" "$tools/bin/criu"
  else
    write_preload_wrapper "$(command -v criu)"
  fi
}

# With the host's compiler; else with tcc, which is small, needs no headers and is not installed for it.
build_prlimit() {
  if have cc; then
    quietly cc -shared -fPIC -O2 -o "$1" "$here/setup/prlimit.c"
    return
  fi
  have apt-get || return 1
  update_lists
  mkdir -p "$temp/tcc"
  (cd "$temp/tcc" && quietly apt-get -q download -o APT::Sandbox::User=root tcc) || return 1
  dpkg-deb --extract "$temp"/tcc/tcc_*.deb "$temp/tcc"
  library=$(find "$temp/tcc" -type d -path '*-linux-gnu/tcc')
  quietly "$temp/tcc/usr/bin/tcc" "-B$library" -nostdlib -shared -o "$1" "$here/setup/prlimit.c"
}

# write_preload_wrapper PROGRAM: the host's own CRIU, through the host's own loader.
write_preload_wrapper() {
  for loader in /lib64/ld-linux-x86-64.so.2 /lib/ld-linux-aarch64.so.1; do
    [ -x "$loader" ] || continue
    printf '#!/bin/sh\n# by cryopod set-up: reads limits without CAP_SYS_RESOURCE\nexec %s --preload %s %s "$@"\n' \
      "'$loader'" "'$tools/lib/prlimit.so'" "'$1'" >"$temp/wrapper"
    chmod 755 "$temp/wrapper"
    mv "$temp/wrapper" "$tools/bin/criu"
    return 0
  done
}
