# The project's npm packages. They are prebuilt: no install script runs.

# A copy of the lock file inside node_modules tells whether they belong together.
modules_ready() { cmp -s "$repo/package-lock.json" "$repo/node_modules/.cryopod-lock"; }

install_modules() {
  say "installing npm packages"
  have npm || die "npm is missing: install it ('apt-get install npm'), then run this again."
  # Not 'npm ci': it refuses a registry that lacks a package's builds for other systems. This takes the versions of the
  # lock file all the same, and --no-save keeps the file as it is.
  (cd "$repo" && quietly npm install --no-save --ignore-scripts --prefer-offline --no-audit --no-fund --silent) ||
    no_registry "the packages of package-lock.json"
  cp "$repo/package-lock.json" "$repo/node_modules/.cryopod-lock"
}

# dist/ takes a fifth of a second and makes every later start of cryopod several times faster.
build_bundle() {
  quietly sh "$here/node.sh" "$here/build.ts" ||
    say "the sources could not be bundled (esbuild's words are above); cryopod starts from src/, more slowly."
}
