import type { Rule } from './diagnose.ts';

/** Failures of a restore, most telling first. Each cites CRIU's source. */
export const RESTORE_RULES: readonly Rule[] = [
  {
    // criu/sk-inet.c open_inet_sk
    pattern: /Connected TCP socket in image/,
    explain: (_, who) => `${who} had an established TCP connection`,
    hint: 'Use --tcp-established to bring the connections back, or --tcp-close to bring them back closed.',
  },
  {
    // criu/files-reg.c validate_file
    pattern: /File (\S+) has bad size (\d+) \(expect (\d+)\)/,
    explain: ([, path, size, expected], who) =>
      `${who} had /${path?.replace(/^\/+/, '')} open, which has changed since the checkpoint: ${size} bytes instead of ${expected}`,
    hint: 'Put the file back as it was when the container was frozen.',
  },
  {
    // criu/files-reg.c validate_file
    pattern: /File (\S+) has bad (?:mode|build-ID)/,
    explain: ([, path], who) =>
      `${who} had /${path?.replace(/^\/+/, '')} open, which is another file than at the checkpoint`,
    hint: 'Put the file back as it was when the container was frozen (the same image, the same volume).',
  },
  {
    // criu/files-reg.c open_path, do_open_reg
    pattern:
      /Can't open file (\S+) on restore: No such file or directory|Can't open (\S+): No such file or directory/,
    explain: ([, first, second], who) =>
      `${who} had /${(first ?? second)?.replace(/^\/+/, '')} open, which is gone`,
    hint: 'Put the file back as it was when the container was frozen.',
  },
  {
    // criu/mount.c do_bind_mount, do_new_mount; criu/mount-v2.c
    pattern:
      /mnt(?:-v2)?: .*?(?:Can't|Unable to|Failed to) (?:mount|bind|open|bind-mount|create)[^/]*(\/\S+?)[:, ].*|No mapping for (\S+) mountpoint/,
    explain: ([, first, second]) => `the mount ${first ?? second} cannot be made again`,
    hint: 'Make its source exist on the host as it did when the container was frozen.',
  },
  {
    // criu/sk-inet.c inet_bind
    pattern: /Can't bind inet socket.*: (.+)/,
    explain: ([, reason], who) => `${who} cannot have its address back: ${reason}`,
    hint: 'The container needs the same IP address and a free port in its network namespace.',
  },
  {
    // criu/cr-restore.c fork_with_pid, criu/clone-noasan.c
    pattern: /(?:Can't fork for|Pid) (\d+).*(?:File exists|do not match expected)/,
    explain: ([, pid]) => `the process ID ${pid} is already taken`,
    hint: 'A container with --pid=host needs its old process IDs to be free; use a private PID namespace.',
  },
  {
    // criu/file-lock.c
    pattern: /file[_ -]lock/i,
    explain: (_, who) => `${who} held a file lock that cannot be taken again`,
    hint: 'Use --file-locks if the checkpoint was taken with it, and see that no one else holds the lock.',
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
    // criu/tty.c
    pattern: /tty: .*(?:Can't|Unable|not found|no master|No task found with sid)/i,
    explain: (_, who) => `${who} used a terminal that cannot be made again`,
    hint: 'The terminal came from outside the container. Run it with -t.',
  },
  {
    pattern: /vDSO|vdso/,
    explain: () => 'this CRIU does not fit the running kernel',
    hint: 'Run scripts/setup.sh, which brings one that works; cryopod doctor checks it.',
  },
  {
    // criu/cpu.c, criu/arch/x86/cpu.c
    pattern: /CPU.*(?:capabilities|features|instruction)/i,
    explain: () => "this machine's processor lacks features that the container's processes use",
    hint: 'Restore on a machine with the same or a newer processor.',
  },
];
