import type { Rule } from './diagnose.ts';
import { RUNTIME_GONE } from './runtime-rules.ts';

const AS_FROZEN =
  'Put the file back as it was when the container was frozen (the same image, the same volume).';
const DAMAGED = 'The checkpoint is damaged; take it again, or copy it anew.';

/** Failures of a restore; the first line of the log that fits one decides. Each cites CRIU's source. */
export const RESTORE_RULES: readonly Rule[] = [
  RUNTIME_GONE,
  {
    // criu/sk-inet.c open_inet_sk
    pattern: /Connected TCP socket in image/,
    explain: (_, { who }) => `${who} had an established TCP connection`,
    hint: 'Use --tcp-established to bring the connections back, or --tcp-close to bring them back closed.',
  },
  {
    // criu/image.c check_img_inventory
    pattern: /Need to set the --tcp-close options/,
    explain: () => 'the checkpoint was taken with its TCP connections closed',
    hint: 'Use --tcp-close.',
  },
  {
    // criu/files-reg.c validate_with_size
    pattern: /File (.+) has bad size (\d+) \(expect (\d+)\)/,
    explain: ([, path, size, expected], { who }) =>
      `${who} had ${rooted(path)} open, which has changed since the checkpoint: ${size} bytes instead of ${expected}`,
    hint: AS_FROZEN,
  },
  {
    // criu/files-reg.c validate_file_permissions (open_path)
    pattern: /File (.+) has bad mode 0(\d+) \(expect 0(\d+)\)/,
    explain: ([, path, mode, expected], { who }) =>
      `${who} had ${rooted(path)} open, whose mode is now ${permissions(mode)} instead of ${permissions(expected)}`,
    hint: 'Give the file the mode that it had when the container was frozen (chmod).',
  },
  {
    // criu/files-reg.c validate_with_build_id
    pattern: /File (.+) has bad build-ID/,
    explain: ([, path], { who }) =>
      `${who} ran or used ${rooted(path)}, which is another program than at the checkpoint`,
    hint: AS_FROZEN,
  },
  {
    // criu/files-reg.c do_open_reg_noseek_flags, open_path
    pattern:
      /Can't open file (.+?)(?: on restore)?: (No such file or directory|Permission denied|Not a directory|.+)$/,
    explain: ([, path, reason], { who }) =>
      reason === 'No such file or directory'
        ? `${who} had ${rooted(path)} open, which is gone`
        : `${who} had ${rooted(path)} open, which cannot be opened again: ${reason}`,
    hint: AS_FROZEN,
  },
  {
    // criu/files.c prepare_fs_pid, criu/files-reg.c open_path for cwd and root
    pattern: /Can't (?:change cwd|change root|open (?:cwd|root))(?:: (.+))?/,
    explain: (_, { who }) => `${who} was in a directory that is gone`,
    hint: 'Make the directory again as it was when the container was frozen.',
  },
  {
    // criu/mount.c resolve_external_mounts, do_mount_root
    pattern: /No mapping for \d+:(\S+) mountpoint/,
    explain: ([, path]) => `nothing is given for the mount at ${rooted(path)}`,
    hint: 'The container must have the same mounts as when it was frozen.',
  },
  {
    // criu/mount.c do_new_mount, do_bind_mount; criu/mount-v2.c
    pattern: /mnt(?:-v2)?: (?:Can't|Unable to|Failed to) [^/]*(\/\S*?)(?: to \S+| \(id=\d+\))?: (.+)$/,
    explain: ([, path, reason]) => `the mount at ${withoutYard(path)} cannot be made again: ${reason}`,
    hint: 'Make its source exist on the host as it did when the container was frozen.',
  },
  {
    // criu/sk-inet.c inet_bind
    pattern: /Can't bind inet socket \(id \d+\): (.+)$/,
    explain: ([, reason], { who }) =>
      reason === 'Address already in use'
        ? `${who} cannot have its address and port back: another process uses them`
        : `${who} cannot have its address back: ${reason}`,
    hint: 'The container needs the same IP address and free ports in its network namespace.',
  },
  {
    // criu/sk-inet.c inet_connect
    pattern: /Can't connect inet socket back: (.+)$/,
    explain: ([, reason], { who }) => `${who} cannot have its connection back: ${reason}`,
    hint: 'The container needs the same IP address and a route to its peer; or use --tcp-close.',
  },
  {
    // criu/sk-unix.c open_unixsk_standalone, post_open_standalone
    pattern: /External socket found in image|unix: Can't connect \d+ socket: (.+)$/,
    explain: (_, { who }) =>
      `${who} was connected over a unix socket to a program outside that does not listen now`,
    hint: 'Start that program first.',
  },
  {
    // criu/cr-restore.c fork_with_pid: clone3 with set_tid; criu/cr-restore.c restore_task_with_children
    pattern: /Can't fork for (\d+): File exists|Pid (\d+) do(?:es)? not match expected/,
    explain: ([, first, second]) => `the process ID ${first ?? second} is already taken`,
    hint: 'A container with --pid=host needs its old process IDs to be free; use a private PID namespace.',
  },
  {
    // criu/cr-restore.c fork_with_pid: a new namespace, or the pids cgroup
    pattern: /Can't fork for \d+: (.+)$/,
    explain: ([, reason], { who }) => `${who} cannot be made again: ${reason}`,
    hint: 'See that the limit of processes (--pids-limit) and the memory suffice.',
  },
  {
    // criu/file-lock.c restore_file_lock
    pattern: /Can not set (flock|posix lock|ofd lock)/,
    explain: ([, kind], { who }) => `${who} held a file lock (${kind}) that cannot be taken again`,
    hint: 'See that no one else holds the lock.',
  },
  {
    pattern: /No space left on device/,
    explain: () => 'a file system that the container needs is full',
    hint: 'Free some space and restore again; the checkpoint is kept.',
  },
  {
    pattern: /Cannot allocate memory/,
    explain: () => 'there is not enough memory for the container',
    hint: 'Free some memory, or raise its limit, and restore again; the checkpoint is kept.',
  },
  {
    // criu/cr-restore.c sigchld_process: the kernel's out-of-memory killer, above all
    pattern: /\b(\d+) killed by signal 9: /,
    explain: ([, pid], { name }) => `${name(Number(pid))} was killed while it was brought back`,
    hint: 'Most often its memory limit is too small for it; raise the limit and restore again.',
  },
  {
    // criu/image.c img_check_magic
    pattern: /(?:Head magic|Magic) doesn't match for (\S+)/,
    explain: ([, path]) => `the file ${baseName(path)} of the checkpoint is not what CRIU wrote`,
    hint: DAMAGED,
  },
  {
    // criu/protobuf.c do_pb_read_one, criu/image.c read_img_buf_eof
    pattern: /(?:Read \d+ bytes while \d+ expected|Unexpected EOF)(?: (?:from|on) ([^\s:]+))?/,
    explain: ([, path]) =>
      path === undefined
        ? 'a file of the checkpoint is cut off'
        : `the file ${baseName(path)} of the checkpoint is cut off`,
    hint: DAMAGED,
  },
  {
    // criu/pie/restorer.c, criu/pagemap.c: a pages file that is missing has descriptor -1 (EBADF, 9)
    pattern: /Can't read pages data|Can't read mapping page|pagemap: Can't open pages/,
    explain: (_, { who }) => `the memory of ${who} is missing from the checkpoint or cut off`,
    hint: DAMAGED,
  },
  {
    // criu/image.c open_image_at
    pattern: /Unable to open (\S+\.img): No such file or directory/,
    explain: ([, path]) => `the file ${baseName(path)} of the checkpoint is missing`,
    hint: DAMAGED,
  },
  {
    // criu/image.c check_img_inventory
    pattern: /Not supported images version (\d+)|Too old image, no longer supported/,
    explain: () => 'the checkpoint was written by a CRIU whose format this one does not know',
    hint: 'Install the CRIU that wrote it, or a newer one.',
  },
  {
    // criu/tty.c
    pattern: /tty: (?:Can't|Unable|No PTY|Found)/,
    explain: (_, { who }) => `${who} used a terminal that cannot be made again`,
    hint: 'The terminal came from outside the container. Run it with -t.',
  },
  {
    // criu/vdso.c vdso_parse_maps
    pattern: /Unexpected (?:rt )?vDSO area bounds|vdso: .*(?:Can't|[Ff]ail|mismatch)/,
    explain: () => 'this CRIU does not fit the running kernel',
    hint: 'Run scripts/setup.sh, which brings one that works; cryopod doctor checks it.',
  },
  {
    // criu/arch/x86/cpu.c cpu_validate_features, criu/arch/x86/crtools.c
    pattern:
      /CPU (?:instruction )?capabilities do not match|FPU feature required by image|xsave (?:max )?size mismatch/,
    explain: () => "this machine's processor lacks features that the container's processes use",
    hint: 'Restore on a machine with the same or a newer processor.',
  },
  {
    // criu/cr-restore.c check_core
    pattern: /Core march mismatch/,
    explain: () => 'the checkpoint comes from a machine of another architecture',
    hint: 'Restore on a machine with the same kind of processor.',
  },
];

/** CRIU's log has paths in the container without the leading slash. */
function rooted(path = ''): string {
  return `/${path.replace(/^\.?\/+/, '')}`;
}

/** Mounts are built in a temporary directory: `/tmp/.criu.mntns.AbCdEf/9-0000000000/data` (criu/mount.c). */
function withoutYard(path = ''): string {
  return path.replace(/^.*\/\.criu\.mntns\.[^/]*\/[^/]*/, '') || '/';
}

/** `100644` is the mode 644 of a regular file. */
function permissions(mode = ''): string {
  return mode.slice(-4).replace(/^0/, '');
}

function baseName(path = ''): string {
  return path.split('/').at(-1) ?? path;
}
