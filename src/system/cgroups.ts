import { readdirSync, rmdirSync } from 'node:fs';
import { join } from 'node:path';
import { errnoOf } from '../model/errors.ts';

const CGROUP_ROOT = '/sys/fs/cgroup';

/**
 * Removes a cgroup without processes from every hierarchy: crun leaves one behind when it could not create its container.
 * `path` begins at the hierarchies' roots. Idempotent; one that is in use stays.
 */
export function removeEmptyCgroup(path: string): void {
  // cgroup v1 has one directory for each controller; on v2 the root's own children just have no such child.
  const hierarchies = readdirSync(CGROUP_ROOT, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => join(CGROUP_ROOT, name));
  for (const directory of [CGROUP_ROOT, ...hierarchies]) {
    try {
      rmdirSync(join(directory, path));
    } catch (error) {
      if (!['ENOENT', 'ENOTDIR', 'EBUSY', 'ENOTEMPTY', 'EROFS'].includes(errnoOf(error) ?? '')) throw error;
    }
  }
}
