import { existsSync, readdirSync, readFileSync, rmdirSync } from 'node:fs';
import { join } from 'node:path';
import { errnoOf } from '../model/errors.ts';

const CGROUP_ROOT = '/sys/fs/cgroup';

/** cgroup v1 has one directory for each controller; on v2 the root's own children just have no such child. */
const hierarchies = (): string[] => [
  CGROUP_ROOT,
  ...readdirSync(CGROUP_ROOT, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => join(CGROUP_ROOT, name)),
];

/** A cgroup of this path is in some hierarchy. `path` begins at the hierarchies' roots. */
export const cgroupExists = (path: string): boolean =>
  hierarchies().some((directory) => existsSync(join(directory, path)));

/** PIDs of the processes in a cgroup and in those below it. `path` begins at the hierarchies' roots. */
export function cgroupProcesses(path: string): number[] {
  const found = new Set<number>();
  const pending = hierarchies().map((directory) => join(directory, path));
  for (let directory = pending.pop(); directory !== undefined; directory = pending.pop()) {
    try {
      const text = readFileSync(join(directory, 'cgroup.procs'), 'utf8');
      for (const pid of text.split('\n').filter(Boolean)) found.add(Number(pid));
      const entries = readdirSync(directory, { withFileTypes: true });
      for (const entry of entries) if (entry.isDirectory()) pending.push(join(directory, entry.name));
    } catch (error) {
      // It is not there, or the hierarchy has gone its way with the last process.
      if (!['ENOENT', 'ENOTDIR', 'ENODEV', 'EOPNOTSUPP'].includes(errnoOf(error) ?? '')) throw error;
    }
  }
  return [...found];
}

/**
 * Removes a cgroup without processes from every hierarchy: crun leaves one behind when it could not create its container.
 * `path` begins at the hierarchies' roots. Idempotent; one that is in use stays.
 */
export function removeEmptyCgroup(path: string): void {
  for (const directory of hierarchies()) {
    try {
      rmdirSync(join(directory, path));
    } catch (error) {
      if (!['ENOENT', 'ENOTDIR', 'EBUSY', 'ENOTEMPTY', 'EROFS'].includes(errnoOf(error) ?? '')) throw error;
    }
  }
}
