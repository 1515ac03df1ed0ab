# Programs of a newer Debian suite beside the host's own, without a compiler and without touching the host:
# the packages and all they depend on are unpacked into one private directory, and a wrapper runs the program
# through that directory's own dynamic loader.

# The host's mirror of Debian, as apt itself understood its sources (one-line and deb822 alike).
debian_mirror() {
  apt-get indextargets --format '$(REPO_URI) $(ORIGIN) $(CODENAME)' 'Created-By: Packages' 2>/dev/null |
    awk -v suite="$(host_suite)" '$2 == "Debian" && $3 == suite { print $1; exit }'
}

# Suites newer than the host's, nearest first.
newer_suites() {
  case $(host_suite) in
  bookworm) echo trixie forky sid ;;
  trixie) echo forky sid ;;
  *) echo sid ;;
  esac
}

# apt-get with its own lists, cache and an empty record of installed packages under $closure_apt.
private_apt() {
  quietly apt-get -q -y --no-install-recommends \
    -o Dir::State="$closure_apt/state" -o Dir::State::status="$closure_apt/status" \
    -o Dir::Cache="$closure_apt/cache" -o Dir::Etc::sourcelist="$closure_apt/sources.list" \
    -o Dir::Etc::sourceparts=- -o Dir::Etc::preferences=none -o Dir::Etc::preferencesparts="$closure_apt/none" \
    -o Acquire::Languages=none -o APT::Update::Error-Mode=any -o APT::Sandbox::User=root "$@"
}

# open_suite SUITE: let private_apt fetch from it. Fails if the suite cannot be reached.
open_suite() {
  closure_apt=$temp/apt-$1
  [ ! -e "$closure_apt/status" ] || return 0
  mirror=$(debian_mirror)
  [ -n "$mirror" ] || { update_lists && mirror=$(debian_mirror); }
  [ -n "$mirror" ] || die "apt knows no mirror of Debian $(host_suite): add one to \
/etc/apt/sources.list, run 'apt-get update', then run this again."
  mkdir -p "$closure_apt/none" "$closure_apt/state/lists/partial" "$closure_apt/cache/archives/partial"
  printf 'deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] %s %s main\n' \
    "$mirror" "$1" >"$closure_apt/sources.list"
  private_apt update || return 1
  : >"$closure_apt/status"
}

# fetch_closure SUITE DIR PACKAGE...: unpack the packages and all they need into DIR. Fails if the suite lacks
# one of them or cannot be reached.
fetch_closure() {
  closure_suite=$1
  closure_dir=$2
  shift 2
  open_suite "$closure_suite" || return 1
  rm -f "$closure_apt"/cache/archives/*.deb
  private_apt --download-only install "$@" || return 1
  rm -rf "$closure_dir"
  mkdir -p "$closure_dir"
  for deb in "$closure_apt"/cache/archives/*.deb; do
    dpkg-deb --extract "$deb" "$closure_dir"
  done
  rm -rf "$closure_dir/usr/share" "$closure_dir/etc" "$closure_dir/var"
}

# write_wrapper FILE DIR PROGRAM: a script FILE that runs DIR/PROGRAM with the libraries of the closure, which
# is at DIR now.
write_wrapper() {
  loader=$(find "$2" -name 'ld-linux*.so.*' ! -type d | head -n 1)
  libraries=$(find "$2" -name '*.so.*' ! -type d -path '*-linux-gnu*' -exec dirname {} + | sort -u |
    paste -s -d : -)
  [ -n "$loader" ] && [ -x "$2/$3" ] || return 1
  cat >"$1" <<EOF
#!/bin/sh
# by cryopod set-up: $(basename "$3") of a newer Debian suite with its own libraries
exec '$loader' --library-path '$libraries' '$2/$3' "\$@"
EOF
  chmod 755 "$1"
}

# install_closure NAME PROGRAM CHECK PACKAGE...: try the newer suites in turn until CHECK (a function that gets
# the wrapper's path) is content; then put the closure at $tools/NAME and its wrapper at $tools/bin/NAME. Where that
# fails, fetched_suites tells which suites could be fetched.
install_closure() {
  closure_name=$1
  closure_program=$2
  closure_check=$3
  shift 3
  fetched_suites=
  for suite in $(newer_suites); do
    say "fetching $closure_name of Debian $suite with its libraries into $tools/$closure_name"
    fetch_closure "$suite" "$temp/$closure_name" "$@" || continue
    fetched_suites="$fetched_suites $suite"
    write_wrapper "$temp/try-$closure_name" "$temp/$closure_name" "$closure_program" || continue
    "$closure_check" "$temp/try-$closure_name" || continue
    rm -rf "$tools/$closure_name"
    mv "$temp/$closure_name" "$tools/$closure_name"
    write_wrapper "$temp/wrapper" "$tools/$closure_name" "$closure_program"
    mv "$temp/wrapper" "$tools/bin/$closure_name"
    return 0
  done
  return 1
}
