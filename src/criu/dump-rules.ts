import type { Rule } from './diagnose.ts';
import { descriptorAt, findDescriptor, findLock, findRunawaySocket, localAddressAt } from './log-view.ts';
import { RUNTIME_GONE } from './runtime-rules.ts';

/** Character devices that people give to containers, by major and minor number (Linux devices.txt). */
const DEVICES: Readonly<Record<string, string>> = {
  '10:200': '/dev/net/tun',
  '10:229': '/dev/fuse',
  '10:232': '/dev/kvm',
  '10:237': '/dev/loop-control',
};

const deviceName = (number: string): string => {
  const known = DEVICES[number];
  return known === undefined ? `the character device ${number}` : `the device ${known}`;
};

/** Address families that CRIU cannot save, by number (Linux socket.h). */
const FAMILIES: Readonly<Record<string, string>> = {
  '15': 'AF_KEY',
  '29': 'AF_CAN',
  '31': 'AF_BLUETOOTH',
  '38': 'AF_ALG',
  '40': 'AF_VSOCK',
  '44': 'AF_XDP',
};

const OLD_CRIU = 'Run scripts/setup.sh, which brings one that works; cryopod doctor checks it.';
const NO_URING = "Switch io_uring off in the program's configuration.";

/** Failures of a dump; the first line of the log that fits one decides. Each cites CRIU's source. */
export const DUMP_RULES: readonly Rule[] = [
  RUNTIME_GONE,
  {
    // criu/cr-dump.c dump_task_rlimits
    pattern: /Can't get rlimit \d+: Operation not permitted/,
    explain: (_, { who }) => `this host hides the limits of ${who} from CRIU, which lacks CAP_SYS_RESOURCE`,
    hint: 'Run scripts/setup.sh, which lets CRIU read them from /proc.',
  },
  {
    // criu/sk-inet.c can_dump_inet_sk
    pattern: /Connected TCP socket, consider using --tcp-established/,
    explain: (_, { who, lines, at }) => {
      const address = localAddressAt(lines, at);
      return `${who} has an established TCP connection${address === undefined ? '' : ` at ${address}`}`;
    },
    hint: 'Use --tcp-established to keep the connections (give it to the restore too), or close them first.',
  },
  {
    // criu/sk-inet.c can_dump_inet_sk
    pattern: /In-flight connection \(l\)/,
    explain: (_, { who, lines, at }) => {
      const address = localAddressAt(lines, at);
      const where = address === undefined ? '' : ` at ${address}`;
      return `${who} has a connection that is being opened${where} and not accepted yet`;
    },
    hint: 'Try again in a moment; such a connection lasts only milliseconds on a server that accepts.',
  },
  {
    // criu/sk-inet.c can_dump_ipproto: 262 is IPPROTO_MPTCP
    pattern: /inet: Unsupported proto (\d+) for socket/,
    explain: ([, proto], { who }) =>
      `${who} has a socket of ${proto === '262' ? 'Multipath TCP' : `IP protocol ${proto}`}, which CRIU cannot save`,
    hint: 'Let the program use plain TCP; Go programs do with GODEBUG=multipathtcp=0.',
  },
  {
    // criu/sockets.c dump_socket
    pattern: /Unknown socket collected \(family (\d+)\)/,
    explain: ([, family = ''], { who }) =>
      `${who} has a socket of the family ${FAMILIES[family] ?? family}, which CRIU cannot save`,
    hint: 'Let the process close the socket first.',
  },
  {
    // criu/file-lock.c dump_file_locks, note_file_lock
    pattern: /Some file locks are hold by dumping tasks/,
    explain: (_, { lines, name }) => {
      const lock = findLock(lines);
      if (lock === undefined) return 'a process holds a file lock';
      return `${name(lock.pid)} holds a lock of the file ${lock.path ?? `with descriptor ${lock.fd}`}`;
    },
    hint: 'Use --file-locks to keep the locks (give it to the restore too).',
  },
  {
    // criu/files-reg.c dump_ghost_remap
    pattern: /Can't dump ghost file (.+?) of (\d+) size, increase limit/,
    explain: ([, path, size], { who }) =>
      `${who} keeps the file ${path} open, which is deleted and has ${size} bytes`,
    hint: 'Deleted files of more than 1 GiB are not put into a checkpoint: let the process close it, or keep its name.',
  },
  {
    // criu/files-reg.c create_link_remap, dump_ghost_file
    pattern: /Can't create link remap for (\S+)\.|Can't link remap to (\S+?):|Can't open ghost original file/,
    explain: ([, first, second], { who, lines, at }) => {
      const path = first ?? second ?? `descriptor ${descriptorAt(lines, at)?.fd}`;
      return `${who} keeps a file open whose name ${path} is deleted while the file lives on under another one`;
    },
    hint: 'Let the process close the file, or give it its name back.',
  },
  {
    // criu/sk-unix.c dump_external_sockets, unix_resolve_name
    pattern:
      /External socket is used|Can't dump half of stream unix connection|Can't dump name-less external socket/,
    explain: (_, { lines, name, external, who }) => {
      const socket = findRunawaySocket(lines);
      const owner = socket?.pid === undefined ? (external ?? who) : name(socket.pid);
      const peer = socket?.peer === undefined ? '' : `, through the socket ${socket.peer}`;
      return `${owner} is connected over a unix socket to a process outside the container${peer}`;
    },
    hint: 'Close that connection first, or do not mount the socket of another program into the container.',
  },
  {
    // criu/sk-unix.c unix_resolve_name_old, unix_resolve_name
    pattern: /Can't resolve name for socket|Can't stat socket \S+\((.+?)\)/,
    explain: ([, path], { who }) =>
      `${who} has a unix socket${path === undefined ? '' : ` ${path}`} whose file is gone or replaced`,
    hint: 'Restart the program that owns the socket.',
  },
  {
    // criu/files-ext.c unsupp_dump, criu/pie/parasite.c drain_fds: the kernel refuses to hand such a descriptor on
    pattern: /\(anon anon_inode:\[io_uring\]|parasite\.c:\d+\): send_fds failed \(-22\)/,
    explain: (_, { who }) => `${who} uses io_uring, whose requests the kernel does not let anyone save`,
    hint: NO_URING,
  },
  {
    // criu/files-ext.c unsupp_dump
    pattern: /Can't dump file (\d+) of that type \[\d+\] \(chr (\d+:\d+)/,
    explain: ([, fd, device = ''], { who }) =>
      `${who} has ${deviceName(device)} open (file descriptor ${fd}), whose state CRIU cannot save`,
    hint: 'Let the process close the device first, or run it without --device.',
  },
  {
    // criu/proc_parse.c handle_vma
    pattern: /Can't handle non-regular mapping on (\d+)'s map/,
    explain: ([, pid], { name }) =>
      `${name(Number(pid))} has a device mapped into its memory, whose state CRIU cannot save`,
    hint: 'Let the process close the device first, or run it without --device.',
  },
  {
    // criu/files-ext.c unsupp_dump
    pattern: /Can't dump file (\d+) of that type \[\d+\] \((?:anon )?([^)]*)/,
    explain: ([, fd, kind], { who }) =>
      `${who} has a file open (descriptor ${fd}) of a kind that CRIU cannot save: ${kind}`,
    hint: 'Let the process close it first.',
  },
  {
    // criu/fsnotify.c check_open_handle: overlayfs without nfs_export, and no path found by irmap
    pattern: /fsnotify: \s*Can't dump that handle/,
    explain: (_, { who }) =>
      `${who} watches a file or directory by inotify whose path cannot be told on its file system`,
    hint: 'Let the process remove its watches, or put what it watches on a volume.',
  },
  {
    // criu/tty.c tty_verify_active_pairs, dump_one_tty
    pattern:
      /tty: (?:Found slave peer index (\d+) without|Found dangling tty with sid|ctty inheritance detected)/,
    explain: ([, index], { who, lines, name }) => {
      const owner =
        index === undefined ? undefined : findDescriptor(lines, new RegExp(`\\[/dev/pts/${index}\\]`));
      const terminal = index === undefined ? 'a terminal' : `the terminal /dev/pts/${index}`;
      return `${owner === undefined ? who : name(owner.pid)} uses ${terminal}, which comes from outside the container`;
    },
    hint: 'Run the container with -t, so that it has a terminal of its own.',
  },
  {
    // criu/files-reg.c dump_one_reg_file
    pattern: /Can't lookup mount=\S+ for fd=(\S+) path=(.+)$/,
    explain: ([, fd, path], { who }) =>
      `${who} has ${path} open (descriptor ${fd}), which lies outside the container's file systems`,
    hint: 'Let the process close it, or mount its directory into the container.',
  },
  {
    // criu/files-reg.c dump_one_reg_file
    pattern: /Open files on overmounted mounts are not supported yet; mount=\S+ fd=(\S+) path=(.+)$/,
    explain: ([, fd, path], { who }) =>
      `${who} has ${path} open (descriptor ${fd}), over which something is mounted`,
    hint: 'Let the process close the file, or unmount what covers it.',
  },
  {
    // criu/mount.c validate_mounts
    pattern: /mnt: FS mnt (\S+) dev \S+ root \S+ unsupported id/,
    explain: ([, path]) => `the file system mounted at ${mountPath(path)} is of a kind that CRIU cannot save`,
    hint: 'Unmount it in the container first.',
  },
  {
    // criu/mount.c validate_mounts, resolve_shared_mounts; criu/mount-v2.c
    pattern: /mnt: (?:Mount )?\d+[: ]\s*(\S+).*?(?:has unreachable sharing|doesn't have a proper root mount)/,
    explain: ([, path]) => `the mount at ${mountPath(path)} cannot be saved: its source cannot be reached`,
    hint: 'Unmount it in the container, or restart the container with a mount of a path that exists on the host.',
  },
  {
    // criu/mount.c __open_mountpoint, mnt_is_dir, __umount_overmounts
    pattern:
      /mnt: (?:Can't open|Unable to open|Unable to statfs|fstat\() ?(\.?\/\S*?)[):(]?(?: failed)?: (.+)$/,
    explain: ([, path, reason]) => `the mount at ${mountPath(path)} cannot be saved: ${reason}`,
    hint: 'Make what is mounted there reachable again, or unmount it in the container.',
  },
  {
    // any write: criu/page-xfer.c, criu/bfd.c, criu/files-reg.c
    pattern: /No space left on device/,
    explain: () => 'the file system that the checkpoint is written to is full',
    hint: 'Free some space, or give a --root on a larger file system.',
  },
  {
    // criu/vdso.c vdso_parse_maps: kernels since 6.13 with CRIU before 4.1
    pattern: /Unexpected (?:rt )?vDSO area bounds/,
    explain: () => 'this CRIU is too old for the running kernel',
    hint: OLD_CRIU,
  },
  {
    // criu/sockets.c do_dump_opt: SO_PASSCRED and SO_PASSSEC on kernels since 6.16 with CRIU before 4.2
    pattern: /sockets: Can't get 1:(?:16|34) opt: Operation not supported/,
    explain: () => 'this CRIU is too old for the sockets of the running kernel',
    hint: OLD_CRIU,
  },
  {
    // criu/config.c check_options
    pattern: /Tracking memory is not available/,
    explain: () => 'the kernel does not tell which pages change (no soft-dirty tracking)',
    hint: 'Take a full checkpoint instead of a pre-checkpoint.',
  },
  {
    // compel/src/lib/infect.c compel_interrupt_task, compel_wait_task
    pattern:
      /Unable to interrupt task: (\d+) \(Operation not permitted\)|Unseizable non-zombie (\d+) found, state t/,
    explain: ([, first, second], { name }) => `${name(Number(first ?? second))} is traced by another program`,
    hint: 'End the debugger or strace that is attached to it.',
  },
  {
    // compel/src/lib/infect.c compel_wait_task
    pattern: /Unseizable non-zombie (\d+) found, state (\S),/,
    explain: ([, pid], { name }) => `${name(Number(pid))} could not be stopped; it may just have ended`,
    hint: 'Try again.',
  },
  {
    // criu/seize.c freeze_processes; criu/cr-dump.c alarm_handler
    pattern: /Unable to freeze cgroup|Timeout reached\. Try to interrupt/,
    explain: () =>
      'the processes did not stop within the time given; one of them may wait for a disk or a network share',
    hint: 'Try again when it no longer waits (state D in ps).',
  },
  {
    // criu/namespaces.c generate_ns_id
    pattern: /Can't dump nested (\w+) namespace for (\d+)/,
    explain: ([, kind, pid], { name }) =>
      `${name(Number(pid))} has made a ${kind} namespace of its own inside the container, which CRIU cannot save`,
    hint: 'Containers and sandboxes inside containers cannot be checkpointed: switch them off in the program.',
  },
  {
    // criu/cr-dump.c dump_task_mm
    pattern: /Task (\d+) with SysVIPC shmem map .* doesn't live in IPC ns/,
    explain: ([, pid], { name }) => `${name(Number(pid))} uses System V shared memory of the host`,
    hint: 'Run the container with an IPC namespace of its own, without --ipc=host.',
  },
  {
    // criu/cr-dump.c dump_one_task, dump_zombies
    pattern: /A session leader of (?:zombie process )?(\d+)\(\d+\) is outside of its pid namespace/,
    explain: ([, pid], { name }) =>
      `${name(Number(pid))} belongs to a session that was begun outside the container`,
    hint: 'End what runs in the container by exec first.',
  },
  {
    // criu/net.c iptables_network_lock_internal, nftables_lock_network_internal
    pattern: /Locking network failed/,
    explain: () => "CRIU could not keep packets away from the container's connections during the dump",
    hint: 'Install iptables or nftables; cryopod doctor says what is missing.',
  },
];

/** CRIU writes paths in the container relative to its root: `./data`. */
function mountPath(path = ''): string {
  return path.replace(/^\.?\/?/, '/');
}
