import { writeFile } from 'node:fs/promises';
import { fail } from '../model/errors.ts';

/** What the command lines of runc and crun lack; CRIU reads it from a file. See docs/decisions on CRIU's options. */
export interface CriuOptions {
  /** Bytes of a file that is deleted but still open, up to which CRIU keeps it inside the checkpoint. */
  readonly ghostLimit?: number | undefined;
  /** Save open files whose name is deleted while another hard link of the file remains. Dump. */
  readonly linkRemap?: boolean | undefined;
  /** Leave out connections that are not accepted yet. Dump. */
  readonly skipInFlight?: boolean | undefined;
  /** Bring established TCP connections back closed. Restore. */
  readonly tcpClose?: boolean | undefined;
  /** How CRIU keeps packets away from the container's connections while it dumps. */
  readonly networkLock?: 'iptables' | 'nftables' | 'skip' | undefined;
  /** Paths in the container where CRIU looks for files that are watched by inotify. Dump. */
  readonly watchedPaths?: readonly string[] | undefined;
  /** Cgroup of the container, in place of the one that its processes were saved in. Restore. */
  readonly cgroupRoot?: string | undefined;
  /** Number of the descriptor on which CRIU would serve what a lazy dump leaves out, in place of a port. Dump. */
  readonly pageSocket?: number | undefined;
  /** Seconds for which CRIU tries to stop the processes. */
  readonly freezeTimeout?: number | undefined;
}

/** 1 GiB; CRIU's own limit of 1 MiB refuses the temporary files of most databases. */
export const DEFAULT_GHOST_LIMIT = 1 << 30;

/** CRIU reads the file that this variable names (CRIU criu/config.c next_config, since 3.11), also below a runtime. */
export const CRIU_CONFIG_VARIABLE = 'CRIU_CONFIG_FILE';

/** In CRIU's configuration files `#` starts a comment even in quotes, and a backslash only escapes a quote. */
const UNWRITABLE = /[\n\r"#\\]/;

/** Whether {@link criuConfigText} can carry the path. */
export const isConfigurablePath = (path: string): boolean => !UNWRITABLE.test(path);

/**
 * Pure: the text of a CRIU configuration file (CRIU Documentation/criu.txt, CONFIGURATION FILES). Only options that
 * every CRIU since 3.17 knows are written, since CRIU refuses a file with an unknown one.
 */
export function criuConfigText(options: CriuOptions): string {
  const lines: string[] = [`ghost-limit ${options.ghostLimit ?? DEFAULT_GHOST_LIMIT}`];
  if (options.linkRemap === true) lines.push('link-remap');
  if (options.skipInFlight === true) lines.push('skip-in-flight');
  if (options.tcpClose === true) lines.push('tcp-close');
  if (options.networkLock !== undefined) lines.push(`network-lock ${options.networkLock}`);
  if (options.cgroupRoot !== undefined) lines.push(`cgroup-root ${quoted(options.cgroupRoot)}`);
  if (options.pageSocket !== undefined) lines.push(`ps-socket ${options.pageSocket}`);
  if (options.freezeTimeout !== undefined) lines.push(`timeout ${Math.ceil(options.freezeTimeout)}`);
  for (const path of options.watchedPaths ?? []) lines.push(`irmap-scan-path ${quoted(path)}`);
  return `${lines.join('\n')}\n`;
}

function quoted(path: string): string {
  if (isConfigurablePath(path)) return `"${path}"`;
  return fail('INTERNAL', {
    message: `a CRIU configuration file cannot hold the path ${JSON.stringify(path)}`,
  });
}

/**
 * Writes the file and returns the environment that makes CRIU read it, for the call of the runtime or the monitor. It serves
 * this one call, often while a container is frozen, and so is not synced.
 */
export async function writeCriuConfig(path: string, options: CriuOptions): Promise<Record<string, string>> {
  await writeFile(path, criuConfigText(options), { mode: 0o600 });
  return { [CRIU_CONFIG_VARIABLE]: path };
}

/**
 * Pure: flags of a checkpoint that say the same to newer runtimes. A runtime that has such a flag sends CRIU its value, given or not,
 * and that wins over the file; so each flag is to be passed where the runtime's `--help` lists it (runc ≥ 1.3, newer
 * crun) and must not be where it does not.
 */
export function criuRuntimeFlags(options: CriuOptions): string[] {
  const flags: string[] = [];
  if (options.linkRemap === true) flags.push('--link-remap');
  if (options.skipInFlight === true) flags.push('--tcp-skip-in-flight');
  return flags;
}
