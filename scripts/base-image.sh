#!/bin/sh
# Builds a root file system as a tar archive from programs of this machine's packages, for `cryopod import`: no
# registry is needed, and the same packages give the same bytes.
#
#   sh scripts/base-image.sh PROFILE OUT.tar [PROGRAM...]
#
#   busybox    a shell and the usual tools, all links to one static program
#   redis      and redis-server, redis-cli                            (package redis-tools)
#   postgres   and the newest PostgreSQL server with psql and pgbench (packages postgresql, postgresql-contrib)
#   nginx      and nginx that serves /usr/share/nginx/html on port 80 (package nginx)
#
# A PROGRAM is an absolute path; it goes to the same path in the image, with the libraries that it is linked to.
set -eu
umask 022
export LC_ALL=C

die() {
  echo "base-image: $*" >&2
  exit 1
}

[ $# -ge 2 ] || die 'usage: base-image.sh busybox|redis|postgres|nginx OUT.tar [PROGRAM...]'
profile=$1
out=$2
shift 2
work=$(mktemp -d)
trap 'rm -rf "$work" "$out.partial"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
rootfs=$work/rootfs

# need FILE PACKAGE: FILE of this machine, or a sentence about the package that has it.
need() { [ -e "$1" ] || die "$1 is missing: install the package $2 (npm test does that)."; }

# put PATH...: copy files and directories to the same path in the image; links become what they point to.
put() {
  for path in "$@"; do printf '%s\0' "${path#/}"; done |
    tar --create --dereference --directory / --null --verbatim-files-from --files-from - |
    tar --extract --directory "$rootfs" --keep-directory-symlink
}

# put_programs PATH...: the files and every library that they are linked to.
put_programs() {
  put "$@"
  libraries=$(ldd "$@" 2>/dev/null | awk '$2 == "=>" && $3 ~ "^/" { print $3 } /^\t\// { print $1 }' | sort -u)
  # shellcheck disable=SC2086 # library paths of the distribution hold no spaces
  [ -z "$libraries" ] || put $libraries
}

# own UID MODE DIRECTORY...: directories of the image that a service writes to.
own() {
  uid=$1
  mode=$2
  shift 2
  for directory in "$@"; do
    mkdir -p "$rootfs$directory"
    chown "$uid:$uid" "$rootfs$directory"
    chmod "$mode" "$rootfs$directory"
  done
}

make_base() {
  busybox=$(command -v busybox) || die 'busybox is missing: install the package busybox-static.'
  ! ldd "$busybox" >/dev/null 2>&1 || die 'busybox is not the static one: install the package busybox-static.'
  mkdir -p "$rootfs/usr/bin" "$rootfs/usr/sbin" "$rootfs/usr/lib" "$rootfs/usr/lib64"
  for directory in bin sbin lib lib64; do ln -s "usr/$directory" "$rootfs/$directory"; done
  cp "$busybox" "$rootfs/usr/bin/busybox"
  chroot "$rootfs" /bin/busybox --install -s /bin
  mkdir -p "$rootfs/dev" "$rootfs/proc" "$rootfs/sys" "$rootfs/run" "$rootfs/etc" "$rootfs/home" "$rootfs/mnt" \
    "$rootfs/var/log" "$rootfs/var/lib" "$rootfs/data"
  own 0 1777 /tmp /var/tmp
  own 0 0700 /root
  ln -s ../run "$rootfs/var/run"
  cat >"$rootfs/etc/passwd" <<'EOF'
root:x:0:0:root:/root:/bin/sh
www-data:x:33:33:www-data:/var/www:/bin/false
redis:x:998:998:redis:/data:/bin/false
postgres:x:999:999:postgres:/var/lib/postgresql:/bin/sh
nobody:x:65534:65534:nobody:/nonexistent:/bin/false
EOF
  cat >"$rootfs/etc/group" <<'EOF'
root:x:0:
tty:x:5:
www-data:x:33:
redis:x:998:
postgres:x:999:
nogroup:x:65534:
EOF
  printf 'passwd: files\ngroup: files\nhosts: files dns\n' >"$rootfs/etc/nsswitch.conf"
  printf '127.0.0.1 localhost\n::1 localhost\n' >"$rootfs/etc/hosts"
  printf 'ID=cryopod-%s\nPRETTY_NAME="cryopod base image (%s)"\n' "$profile" "$profile" >"$rootfs/etc/os-release"
}

# In Debian redis-server is a link to redis-check-rdb: one program that goes by the name it is called.
add_redis() {
  need /usr/bin/redis-check-rdb redis-tools
  put_programs /usr/bin/redis-check-rdb /usr/bin/redis-cli
  mv "$rootfs/usr/bin/redis-check-rdb" "$rootfs/usr/bin/redis-server"
  own 998 0755 /data
}

add_postgres() {
  home=
  for directory in /usr/lib/postgresql/*; do home=$directory; done
  version=${home##*/}
  need "$home/bin/postgres" postgresql
  need "$home/bin/pgbench" postgresql-contrib
  for program in postgres initdb pg_ctl pg_isready psql pgbench createdb dropdb pg_dump pg_controldata; do
    set -- "$@" "$home/bin/$program"
    ln -s "../lib/postgresql/$version/bin/$program" "$rootfs/usr/bin/$program"
  done
  # Without compilation at run time (llvmjit), which would bring 100 MB of LLVM; PostgreSQL goes on without.
  for library in "$home"/lib/*.so; do
    case $library in
    */llvmjit*.so) ;;
    *) set -- "$@" "$library" ;;
    esac
  done
  put_programs "$@"
  put "/usr/share/postgresql/$version"
  rm -rf "$rootfs/usr/share/postgresql/$version/man"
  for directory in /usr/lib/locale/C.utf8 /usr/share/zoneinfo/Etc; do
    [ ! -d "$directory" ] || put "$directory"
  done
  own 999 0755 /var/lib/postgresql /run/postgresql
  own 999 0700 /var/lib/postgresql/data
}

add_nginx() {
  need /usr/sbin/nginx nginx
  put_programs /usr/sbin/nginx
  put /etc/nginx/mime.types
  own 0 0755 /var/log/nginx /var/lib/nginx /usr/share/nginx/html
  cat >"$rootfs/etc/nginx/nginx.conf" <<'EOF'
user www-data;
worker_processes 2;
daemon off;
pid /run/nginx.pid;
error_log stderr warn;
events { worker_connections 512; }
http {
  include mime.types;
  access_log off;
  keepalive_requests 1000000;
  server {
    listen 80 default_server;
    root /usr/share/nginx/html;
  }
}
EOF
  echo 'served from a container' >"$rootfs/usr/share/nginx/html/index.html"
}

make_base
case $profile in
busybox) ;;
redis) add_redis ;;
postgres) add_postgres ;;
nginx) add_nginx ;;
*) die "unknown profile '$profile': choose busybox, redis, postgres or nginx." ;;
esac
[ $# -eq 0 ] || put_programs "$@"

tar --create --file "$out.partial" --directory "$rootfs" --sort=name --mtime=@0 --numeric-owner --format=gnu .
mv "$out.partial" "$out"
