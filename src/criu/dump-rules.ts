import type { Rule } from './diagnose.ts';

/** Character devices that people give to containers, by major (and minor) number (Linux devices.txt). */
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

/** Failures of a dump, most telling first where several lines of one log fit. Each cites CRIU's source. */
export const DUMP_RULES: readonly Rule[] = [
  {
    // criu/sk-inet.c can_dump_inet_sk
    pattern: /Connected TCP socket, consider using --tcp-established/,
    explain: (_, who) => `${who} has an established TCP connection`,
    hint: 'Use --tcp-established to keep the connections (give it to the restore too), or close them first.',
  },
  {
    // criu/sk-inet.c can_dump_inet_sk
    pattern: /In-flight connection/,
    explain: (_, who) => `${who} has a connection that is being opened and not accepted yet`,
    hint: 'Try again in a moment; such a connection lasts only milliseconds on a server that accepts.',
  },
  {
    // criu/file-lock.c dump_file_locks
    pattern: /Some file locks are hold by dumping tasks/,
    explain: () => 'a process holds a file lock',
    hint: 'Use --file-locks to keep the locks (give it to the restore too).',
  },
  {
    // criu/files-reg.c dump_ghost_remap
    pattern: /Can't dump ghost file (.+?) of (\d+) size, increase limit/,
    explain: ([, path, size], who) =>
      `${who} keeps the file ${path} open, which is deleted and has ${size} bytes`,
    hint: 'Deleted files of more than 1 GiB are not put into a checkpoint: let the process close it, or keep its name.',
  },
  {
    // criu/files-reg.c check_path_remap, create_link_remap
    pattern: /Can't create link remap for (\S+)|Can't (?:link|dump) (?:remap|ghost)[^:]*?(\/\S+)/,
    explain: ([, first, second], who) =>
      `${who} keeps a deleted file open (${first ?? second}) that its file system cannot keep`,
    hint: 'Let the process close the file, or put it on the root file system or a volume.',
  },
  {
    // criu/sk-unix.c unix_collect_one, dump_one_unix_fd
    pattern:
      /External socket is used|Can't dump half of stream unix connection|unix: .*(?:external|not in a dumpee)/i,
    explain: (_, who) => `${who} is connected over a unix socket to a process outside the container`,
    hint: 'Close that connection first, or do not mount the socket of another program into the container.',
    externalSocket: true,
  },
  {
    // criu/files.c dump_one_file, criu/files-ext.c dump_unsupp_fd
    pattern: /Can't dump file (\d+) of that type \[\d+\] \(anon (?:anon_inode:)?\[?io_uring\]?/,
    explain: ([, fd], who) =>
      `${who} uses io_uring (file descriptor ${fd}), whose requests the kernel does not let anyone save`,
    hint: "Switch io_uring off in the program's configuration.",
  },
  {
    // criu/pie/parasite.c drain_fds: the kernel refuses to hand such a descriptor on; criu/proc_parse.c handle_vma
    pattern: /io_uring|parasite\.c:\d+\): send_fds failed \(-22\)/,
    explain: (_, who) => `${who} uses io_uring, whose requests the kernel does not let anyone save`,
    hint: "Switch io_uring off in the program's configuration.",
  },
  {
    // criu/files-ext.c dump_unsupp_fd
    pattern: /Can't dump file (\d+) of that type \[\d+\] \(chr (\d+:\d+)/,
    explain: ([, fd, device = ''], who) =>
      `${who} has ${deviceName(device)} open (file descriptor ${fd}), whose state CRIU cannot save`,
    hint: 'Let the process close the device first, or run it without --device.',
  },
  {
    // criu/proc_parse.c handle_vma
    pattern: /Can't handle non-regular mapping on (\d+)'s map/,
    explain: ([, pid]) => `process ${pid} has a device mapped into its memory, whose state CRIU cannot save`,
    hint: 'Let the process close the device first, or run it without --device.',
  },
  {
    // criu/files-ext.c dump_unsupp_fd
    pattern: /Can't dump file (\d+) of that type \[\d+\] \(([^)]*)/,
    explain: ([, fd, kind], who) =>
      `${who} has a file open (descriptor ${fd}) of a kind that CRIU cannot save: ${kind}`,
    hint: 'Let the process close it first.',
  },
  {
    // criu/tty.c tty_verify_active_pairs, dump_tasks' session checks
    pattern:
      /Found dangling tty|Task is attached to external terminal|tty: .*(?:external terminal|no opened master|unpaired)/i,
    explain: (_, who) => `${who} uses a terminal from outside the container`,
    hint: 'Run the container with -t, so that it has a terminal of its own.',
  },
  {
    // criu/mount.c, criu/files-reg.c
    pattern: /Can't lookup mount=\S+ for fd=(\S+) path=(\S+)/,
    explain: ([, , path], who) => `${who} has ${path} open, on a mount that is no longer there`,
    hint: 'Let the process close it, or mount the directory again.',
  },
  {
    // criu/mount.c validate_mounts, resolve_external_mounts
    pattern:
      /mnt: .*?(?:Mount \S+ |\d+:)(\.?\/\S*).*?(?:unreachable|doesn't have a proper root mount|unsupported|is not (?:valid|mounted))/,
    explain: ([, path]) => `the mount at ${path} cannot be saved: its source cannot be reached`,
    hint: 'Remove the mount, or mount a path that exists on the host.',
  },
  {
    // criu/mount.c open_mount, mnt_is_dir: the directory behind a bind mount was deleted
    pattern: /mnt: .*(?:deleted|Can't (?:open|stat)|unable to stat).*?(\.?\/\S+)/i,
    explain: ([, path]) => `the mount at ${path} cannot be saved: what was mounted there is deleted`,
    hint: 'Make the directory on the host again and restart the container, or unmount it.',
  },
  {
    pattern: /No space left on device/,
    explain: () => 'the file system that the checkpoint is written to is full',
    hint: 'Free some space, or give a --root on a larger file system.',
  },
  {
    // criu/vdso.c vdso_fill_symtable, parse_vdso: kernels since 6.13 with CRIU before 4.1
    pattern: /Unexpected (?:rt )?vDSO area bounds/,
    explain: () => 'this CRIU is too old for the running kernel',
    hint: 'Run scripts/setup.sh, which brings one that works; cryopod doctor checks it.',
  },
  {
    // criu/sockets.c dump_opt: kernels since 6.16 with CRIU before 4.2
    pattern: /sockets: Can't get \d+:\d+ opt/,
    explain: () => 'this CRIU is too old for the sockets of the running kernel',
    hint: 'Run scripts/setup.sh, which brings one that works; cryopod doctor checks it.',
  },
  {
    // compel/src/lib/infect.c compel_wait_task, criu/seize.c
    pattern: /zombie (\d+) .*found while seizing|Unseizable non-zombie (\d+)|(\d+) is being traced/,
    explain: ([, a, b, c], who) =>
      `${(a ?? b ?? c) === undefined ? who : `process ${a ?? b ?? c}`} cannot be stopped: another program traces it`,
    hint: 'End the debugger or strace that is attached to it.',
  },
  {
    // criu/namespaces.c
    pattern: /[Nn]ested .*?namespace|Can't dump nested (\w+)/,
    explain: (_, who) => `${who} has made namespaces of its own inside the container, which CRIU cannot save`,
    hint: 'Containers inside containers cannot be checkpointed.',
  },
];
