import { readdirSync, rmdirSync } from 'node:fs';
import { join } from 'node:path';
import { errnoOf } from '../model/errors.ts';

const CGROUP_ROOT = '/sys/fs/cgroup';

/**
 * Removes a cgroup (`/cryopod`) in every hierarchy where nothing is left in it: the runtime makes it as the parent of its
 * containers' cgroups and never takes it away. Idempotent; one that is in use stays.
 */
export function removeEmptyCgroup(path: string): void {
  // cgroup v1 has one directory a controller; on v2 the root's other entries just have no such child.
  const hierarchies = readdirSync(CGROUP_ROOT, { withFileTypes: true }).filter((entry) =>
    entry.isDirectory(),
  );
  for (const directory of [CGROUP_ROOT, ...hierarchies.map(({ name }) => join(CGROUP_ROOT, name))]) {
    try {
      rmdirSync(join(directory, path));
    } catch (error) {
      if (!['ENOENT', 'EBUSY', 'ENOTEMPTY', 'EROFS', 'EPERM'].includes(errnoOf(error) ?? '')) throw error;
    }
  }
}
