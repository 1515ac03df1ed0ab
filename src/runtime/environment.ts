import type { ContainerConfig } from '../model/container.ts';
import type { ResolvedUser } from './types.ts';

const DEFAULT_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** podman's --umask default. */
export const UMASK = 0o022;

/** NAME=value lists joined: a later one replaces an earlier one of the same name and keeps its place. */
export function mergeEnv(...lists: readonly (readonly string[])[]): string[] {
  const merged = new Map<string, string>();
  for (const entry of lists.flat()) merged.set(entry.split('=')[0] ?? entry, entry);
  return [...merged.values()];
}

/** The container's environment: its own, over what every process finds as with podman. */
export const processEnv = (
  config: Pick<ContainerConfig, 'env' | 'hostname' | 'tty'>,
  user: ResolvedUser,
  tty: boolean = config.tty,
): string[] =>
  mergeEnv(
    [
      `PATH=${DEFAULT_PATH}`,
      'container=cryopod',
      ...(tty ? ['TERM=xterm'] : []),
      ...(config.hostname === '' ? [] : [`HOSTNAME=${config.hostname}`]),
      `HOME=${user.home}`,
    ],
    config.env,
  );
