#!/bin/sh
# Boots the guest, runs a program in it and brings back what that left. The guest has no network, and its disk is as new
# at every boot.
#
#   sh test/lane/run.sh GUEST TREE OUT
#
#   GUEST  the directory that build.sh printed
#   TREE   a directory that the guest gets a copy of; its file `run` is run by sh, in the copy
#   OUT    gets the console as console.log, and all that the guest wrote to /out
#
# Exit status: that of `run`; 124 when LANE_LIMIT (seconds, default 500) has passed; 125 when the guest left no result.
set -eu
umask 077

guest=$1
tree=$2
out=$3
mkdir -p "$out"
temp=$(mktemp -d)
trap 'rm -rf "$temp"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

tar --create --file "$temp/in.tar" --directory "$tree" .
truncate -s 256M "$temp/out.img"

# Transparent huge pages would make tracking as coarse as they are, 2 MiB. Software emulation: KVM is not everywhere, and
# with it the guest would be another one from machine to machine.
status=0
TMPDIR=$temp timeout --foreground -k 5 "${LANE_LIMIT:-500}" qemu-system-x86_64 \
  -machine q35 -accel tcg,thread=multi -cpu max -smp 2 -m 2048 \
  -kernel "$guest/vmlinuz" -initrd "$guest/initrd.gz" \
  -append 'console=ttyS0 quiet panic=-1 mitigations=off transparent_hugepage=never' \
  -drive "file=$guest/disk.img,if=virtio,format=raw,snapshot=on,cache=unsafe" \
  -drive "file=$temp/in.tar,if=virtio,format=raw,readonly=on" \
  -drive "file=$temp/out.img,if=virtio,format=raw,cache=unsafe" \
  -nic none -vga none -display none -monitor none -serial stdio -no-reboot \
  </dev/null >"$out/console.log" 2>&1 || status=$?
tar --extract --file "$temp/out.img" --directory "$out" 2>/dev/null || true
[ "$status" = 0 ] || {
  echo "lane: qemu ended with $status; the console is in $out/console.log" >&2
  exit "$status"
}
[ -f "$out/status" ] || {
  echo "lane: the guest left no result; the console is in $out/console.log" >&2
  exit 125
}
exit "$(cat "$out/status")"
