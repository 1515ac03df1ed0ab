import { readFileSync, realpathSync } from 'node:fs';
import { errnoOf, fail } from '../model/errors.ts';
import { run } from './process.ts';

export interface MountPoint {
  readonly target: string;
  readonly fsType: string;
  readonly source: string;
  readonly options: string;
}

const decodeOctal = (text: string): string =>
  text.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));

/** The mounts of this mount namespace (proc_pid_mountinfo(5)), in mount order. */
export function mountPoints(): MountPoint[] {
  return readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => {
      const [before = '', after = ''] = line.split(' - ');
      const left = before.split(' ');
      const right = after.split(' ');
      return {
        target: decodeOctal(left[4] ?? ''),
        fsType: right[0] ?? '',
        source: decodeOctal(right[1] ?? ''),
        options: left[5] ?? '',
      };
    });
}

/** mountinfo knows paths without symbolic links; `path` may lead through some, such as /var/run. */
function canonical(path: string): string {
  try {
    return realpathSync(path);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return path;
    throw error;
  }
}

export function isMounted(target: string): boolean {
  const path = canonical(target);
  return mountPoints().some((mount) => mount.target === path);
}

/** mount(8) with an argv array. `options` are joined by commas; values must not hold commas or be checked before. */
export async function mount(
  fsType: string,
  source: string,
  target: string,
  options: readonly string[] = [],
): Promise<void> {
  const flags = options.length === 0 ? [] : ['-o', options.join(',')];
  const result = await run(['mount', '-t', fsType, ...flags, '--', source, target]);
  if (!result.ok) {
    fail('MOUNT_FAILED', { message: `could not mount ${fsType} on ${target}: ${result.stderr.trim()}` });
  }
}

/** Unmounts `target` and everything mounted below it. Idempotent: not mounted is success. */
export async function unmountTree(target: string): Promise<void> {
  const top = canonical(target);
  const below = mountPoints().filter((mount) => mount.target === top || mount.target.startsWith(`${top}/`));
  for (const { target: path } of below.toReversed()) {
    const result = await run(['umount', '--no-mtab', '--', path]);
    if (result.ok) continue;
    if (!isMounted(path)) continue;
    // A process that still looks into the mount must not keep the store from being cleaned up.
    const lazy = await run(['umount', '--no-mtab', '--lazy', '--', path]);
    if (!lazy.ok) fail('MOUNT_FAILED', { message: `could not unmount ${path}: ${lazy.stderr.trim()}` });
  }
}
