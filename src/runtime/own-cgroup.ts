import type { ContainerConfig } from '../model/container.ts';
import { removeEmptyCgroup } from '../system/cgroups.ts';
import { cgroupPath } from './spec/resources.ts';

/**
 * Removes what a runtime that was killed has left of a container's cgroup, which may be called otherwise than the container
 * (another store on the host can have one of the same ID). systemd removes those that it keeps. Idempotent; one that is in use
 * stays.
 */
export function removeOwnCgroup(config: ContainerConfig): void {
  if (config.cgroupManager === 'cgroupfs') removeEmptyCgroup(cgroupPath(config));
}
