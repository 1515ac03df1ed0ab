#!/bin/sh
# Builds the guest of the lane: a kernel with soft-dirty tracking and a small Debian with podman, runc and CRIU, all from
# Debian's packages. Says what it does, and nothing when the guest is there already; docs/lane.md tells more.
#
#   sh test/lane/build.sh        prints the directory of the guest (vmlinuz, initrd.gz, disk.img, memory)
#
# Exit status 69: this machine cannot have the guest (no mirror, other architecture); the reason is on stderr.
#
#   CRYOPOD_TOOLS       the guest is kept in its directory lane/ (default /usr/local/lib/cryopod)
#   CRYOPOD_LANE_SUITE  the suite of Debian that the guest is made of (default: the host's own)
set -eu
umask 022

lane=$(cd "$(dirname "$0")" && pwd -P)
here=${lane%/test/lane}/scripts/setup
tools=${CRYOPOD_TOOLS:-/usr/local/lib/cryopod}

. "$here/common.sh"
. "$here/packages.sh"
. "$here/closure.sh"

say() { printf 'lane: %s\n' "$*" >&2; }
unavailable() {
  say "$*"
  exit 69
}

guest_packages='podman netavark runc conmon skopeo iproute2 procps nftables iptables busybox-static kmod zstd
  libstdc++6'

# What the guest is made of: these scripts, the programs it gets of the host, and the suite.
key() {
  {
    cat "$lane/build.sh" "$lane"/guest/init "$lane"/guest/initrd "$lane"/guest/memory.c "$here/closure.sh"
    "$tools/node/bin/node" --version
    cat "$tools/bin/criu" "$tools/criu/usr/sbin/criu" 2>/dev/null || true
    printf '%s\n' "$tools" "$suite"
  } | sha256sum | cut -c 1-16
}

find_mirror() {
  mirror=$(debian_mirror)
  [ -n "$mirror" ] || { update_lists && mirror=$(debian_mirror); }
  [ -n "$mirror" ] || unavailable "apt knows no mirror of Debian $(host_suite)."
  open_suite "$suite" || unavailable "Debian $suite cannot be fetched from the mirror $mirror."
}

# The cloud kernel: the smallest with virtio drivers. Its name holds its version, so the package without a version leads
# to it.
fetch_kernel() {
  mkdir "$temp/deb"
  (
    cd "$temp/deb"
    private_apt download linux-image-cloud-amd64
    kernel=$(dpkg-deb --field linux-image-cloud-amd64_*.deb Depends |
      tr ',' '\n' | awk '$1 ~ /^linux-image-[0-9]/ { print $1; exit }')
    private_apt download "$kernel"
    dpkg-deb --extract "$kernel"_*.deb "$temp/kernel"
  ) || unavailable "the kernel of Debian $suite could not be fetched from $mirror."
  modules=$(find "$temp/kernel" -type d -path '*lib/modules/*' -prune)
  version=${modules##*/}
  grep -qx CONFIG_MEM_SOFT_DIRTY=y "$temp/kernel/boot/config-$version" ||
    die "the kernel $version of Debian $suite has no soft-dirty tracking."
}

make_root() {
  # Set-up has brought a CRIU where the host's suite has none that works.
  criu=
  [ -d "$tools/criu" ] || criu=criu
  include=$(printf '%s ' $guest_packages $criu | sed 's/ $//; s/ /,/g')
  # debootstrap knows nothing of apt's own proxy.
  eval "$(apt-config shell http_proxy Acquire::http::Proxy)"
  [ -z "${http_proxy:-}" ] || export http_proxy
  quietly debootstrap --variant=minbase --include="$include" "$suite" "$root" "$mirror" ||
    die "debootstrap could not make a Debian $suite (its words are above)."
  rm -rf "$root"/var/cache/apt/archives/*.deb "$root"/var/lib/apt/lists/* "$root"/usr/share/doc "$root"/usr/share/man \
    "$root"/usr/share/locale "$root"/usr/lib/modules
  mkdir -p "$root/usr/lib/modules" "$root/lane" "$root/work" "$root/out"
  cp -a "$modules" "$root/usr/lib/modules/"
  chroot "$root" depmod "$version"
  install -m 755 "$lane/guest/init" "$root/lane/init"
}

# The host's Node and CRIU at the paths that they have on the host, which the wrapper of CRIU names.
add_tools() {
  printf 'export CRYOPOD_TOOLS=%s\n' "'$tools'" >"$root/lane/environment"
  mkdir -p "$root$tools/node/bin" "$root$tools/bin"
  cp -L "$tools/node/bin/node" "$root$tools/node/bin/"
  [ -d "$tools/criu" ] || return 0
  cp "$tools/bin/criu" "$root$tools/bin/"
  for part in criu lib; do
    [ ! -d "$tools/$part" ] || cp -a "$tools/$part" "$root$tools/"
  done
}

# A static busybox and the modules that the disk needs, in the order in which they need each other.
make_initrd() {
  mkdir -p "$temp/initrd/bin" "$temp/initrd/modules" "$temp/initrd/proc" "$temp/initrd/dev" "$temp/initrd/root"
  cp "$root/bin/busybox" "$temp/initrd/bin/"
  install -m 755 "$lane/guest/initrd" "$temp/initrd/init"
  from=$root/usr/lib/modules/$version
  for module in virtio_pci virtio_blk ext4; do
    awk -v module="/$module.ko" 'index($1, module) { sub(":", "", $1); for (i = NF; i > 0; i--) print $i }' \
      "$from/modules.dep"
  done | awk '!seen[$0]++' | while read -r file; do
    name=$(basename "$file")
    name=${name%%.ko*}.ko
    case $file in
    *.xz) xz -dc "$from/$file" ;;
    *.zst) zstd -qdc "$from/$file" ;;
    *) cat "$from/$file" ;;
    esac >"$temp/initrd/modules/$name"
    printf '%s\n' "$name" >>"$temp/initrd/modules/order"
  done
  (cd "$temp/initrd" && find . | busybox cpio -o -H newc 2>/dev/null) | gzip -1 >"$temp/guest/initrd.gz"
}

build() {
  say "building a guest of Debian $suite in $guest (about a minute, once)"
  root=$temp/root
  mkdir -p "$temp/guest"
  find_mirror
  fetch_kernel
  make_root
  add_tools
  make_initrd
  quietly cc -O2 -static -o "$temp/guest/memory" "$lane/guest/memory.c" || die 'memory.c could not be compiled.'
  cp "$temp/kernel/boot/vmlinuz-$version" "$temp/guest/vmlinuz"
  quietly mke2fs -q -F -t ext4 -O ^has_journal -m 0 -d "$root" "$temp/guest/disk.img" 2G || die 'no disk image.'
  mv "$temp/guest" "$guest"
}

clean_up() { rm -rf "$temp"; }

[ "$(uname -m)" = x86_64 ] || unavailable "soft-dirty tracking exists on x86-64 only; this is $(uname -m)."
[ "$(id -u)" = 0 ] || die 'root is needed.'
[ -x "$tools/node/bin/node" ] || die "Node 24 is not ready: run 'sh scripts/setup.sh test'."
suite=${CRYOPOD_LANE_SUITE:-$(host_suite)}
guest=$tools/lane/$(key)
mkdir -p "$tools/lane"
exec 9>"$tools/lane/lock"
flock 9
if [ ! -d "$guest" ]; then
  [ "$(host_id)" = debian ] || unavailable "the guest is made of Debian's packages; this is $(host_name)."
  for tool in qemu-system-x86_64 debootstrap mke2fs cc busybox; do
    have "$tool" || die "$tool is missing: run 'sh scripts/setup.sh test'."
  done
  temp=$(mktemp -d "$tools/lane/build.XXXXXX")
  trap 'clean_up' EXIT
  trap 'exit 130' INT
  trap 'exit 143' TERM
  build
fi
# Guests of older scripts go once nobody has used them for a day.
touch "$guest"
find "$tools/lane" -mindepth 1 -maxdepth 1 -type d -mtime +0 -exec rm -rf {} +
printf '%s\n' "$guest"
