/** Failures around CRIU that the runtime reports by itself: CRIU was not started, or ended without a log. */

interface RuntimeRule {
  readonly pattern: RegExp;
  readonly explain: (match: RegExpExecArray) => string;
  readonly hint: string;
}

const WHO_KILLED = 'Find out what ended it (dmesg tells when memory ran out), and try again.';

/** CRIU talks to the runtime before and after its work (criu/cr-service.c send_criu_msg_with_fd). */
export const RUNTIME_GONE = {
  pattern: /Can't send response: Broken pipe/,
  explain: () => 'the runtime ended while CRIU was at work',
  hint: WHO_KILLED,
} as const;

const GET_CRIU = 'Run scripts/setup.sh, which brings what works here; cryopod doctor checks it.';

const RULES: readonly RuntimeRule[] = [
  {
    // runc libcontainer checkCriuVersion: exec.LookPath
    pattern: /exec: "criu": executable file not found/,
    explain: () => 'the runtime does not find criu',
    hint: GET_CRIU,
  },
  {
    // crun src/libcrun/criu.c load_wrapper
    pattern: /could not load `?(libcriu\.so[.\d]*)`?|libcriu is too old/,
    explain: ([, library]) =>
      `the runtime cannot use CRIU: its library ${library ?? 'libcriu'} is missing or too old`,
    hint: GET_CRIU,
  },
  {
    // runc libcontainer compareCriuVersion
    pattern: /CRIU version (\d+) must be (\d+) or higher/,
    explain: ([, found, needed]) => `the runtime needs at least CRIU ${needed}, and found ${found}`,
    hint: GET_CRIU,
  },
  {
    // runc libcontainer criuSwrk: os.ProcessState.String, and what it reads from a CRIU that is gone
    pattern:
      /criu failed: signal: killed|CRIU \w+ failed: -9\b|read (?:unixpacket|criu-xprt-cln)\b.*: (?:EOF|.*connection reset by peer)$/,
    explain: () => 'CRIU was killed, most often because memory ran out',
    hint: 'Free some memory and try again.',
  },
  {
    pattern: /it was killed by (SIG[A-Z0-9]+)$/,
    explain: ([, signal]) => `the runtime was killed by ${signal}`,
    hint: WHO_KILLED,
  },
  {
    // runc libcontainer checkCriuFeatures; crun criu_check_mem_track
    pattern: /CRIU (?:is missing features|feature checking failed|memory tracking not supported)/,
    explain: () => 'CRIU lacks a feature on this kernel that the runtime asks for',
    hint: 'cryopod doctor lists which features are there.',
  },
  {
    // crun handle_criu_config_file
    pattern: /libcriu RPC config files supported in CRIU >= 4\.2/,
    explain: () => 'the CRIU library of the runtime is too old to be given options by a file',
    hint: GET_CRIU,
  },
  {
    // runc libcontainer makeCriuRestoreMountpoints, checkMountDestination: os.Stat of a bind mount's source
    pattern:
      /(?:stat|lstat|open|mkdir) (\/\S+): (no such file or directory|not a directory|permission denied|read-only file system|no space left on device)/,
    explain: ([, path, reason]) => `${path} cannot be used: ${reason}`,
    hint: 'Every file and directory that is mounted into the container must exist as when it was frozen.',
  },
];

/** What a runtime's own message about a checkpoint or restore means; undefined when no rule knows it. Pure. */
export function diagnoseRuntime(
  message: string,
): { readonly sentence: string; readonly hint: string } | undefined {
  for (const { pattern, explain, hint } of RULES) {
    const match = pattern.exec(message);
    if (match !== null) return { sentence: explain(match), hint };
  }
  return undefined;
}
