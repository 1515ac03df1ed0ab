import { posix } from 'node:path';
import type { ContainerMount } from '../../../model/container.ts';
import { checkName } from '../../../model/ids.ts';
import { containerPath, parseMountFlag } from './mount-flag.ts';
import { checkTmpfsOptions, checkVolumeOptions } from './mount-options.ts';
import { refuse } from './usage.ts';

/** One value of --volume: `[SOURCE:]DEST[:OPTIONS]`; a source with `/` or `.` first is a path. Throws USAGE. */
export function parseVolume(text: string): ContainerMount {
  const parts = text.split(':');
  if (parts.length > 3) {
    refuse(`${text}: incorrect volume format, should be [host-dir:]ctr-dir[:option]`);
  }
  const [first = '', second, optionText] = parts;
  if (second === undefined)
    return { type: 'volume', source: '', destination: containerPath(first), options: [] };
  if (first === '') refuse('host directory cannot be empty');
  const options = optionText === undefined ? [] : checkVolumeOptions(optionText.split(','));
  const type = /^[./]/.test(first) ? 'bind' : 'volume';
  return { type, source: first, destination: containerPath(second), options };
}

/** One value of --tmpfs: `DEST[:OPTIONS]`. Throws USAGE. */
export function parseTmpfs(text: string): ContainerMount {
  const [destination = '', optionText, ...more] = text.split(':');
  if (more.length > 0) refuse(`${text}: incorrect tmpfs format, should be ctr-dir[:options]`);
  const options = optionText === undefined || optionText === '' ? [] : optionText.split(',');
  return {
    type: 'tmpfs',
    source: '',
    destination: containerPath(destination),
    options: checkTmpfsOptions(options),
  };
}

/** Bind sources become absolute, volume names are checked, and a volume without a name is anonymous. */
function settle(mount: ContainerMount, cwd: string): ContainerMount {
  if (mount.type === 'bind') return { ...mount, source: posix.resolve(cwd, mount.source) };
  if (mount.type === 'tmpfs') return mount;
  return mount.source === ''
    ? { ...mount, anonymous: true }
    : { ...mount, source: checkName(mount.source, 'volume') };
}

const isSame = (a: ContainerMount, b: ContainerMount): boolean =>
  a.type === b.type && a.source === b.source && a.options.join() === b.options.join();

export interface MountFlags {
  readonly volume: readonly string[];
  readonly mount: readonly string[];
  readonly tmpfs: readonly string[];
}

/**
 * All mounts of a command line. The same mount twice counts once; two different ones at one destination are refused.
 * `cwd` is where relative host paths begin. Throws USAGE.
 */
export function parseMounts(flags: MountFlags, cwd: string): ContainerMount[] {
  const all = [
    ...flags.mount.map(parseMountFlag),
    ...flags.volume.map(parseVolume),
    ...flags.tmpfs.map(parseTmpfs),
  ];
  const byDestination = new Map<string, ContainerMount>();
  for (const mount of all.map((item) => settle(item, cwd))) {
    const earlier = byDestination.get(mount.destination);
    if (earlier !== undefined && !isSame(earlier, mount)) {
      refuse(`${mount.destination}: duplicate mount destination`);
    }
    byDestination.set(mount.destination, mount);
  }
  return [...byDestination.values()];
}
