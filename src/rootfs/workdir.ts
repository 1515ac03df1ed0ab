import { closeSync, fchownSync } from 'node:fs';
import { existsInRoot, makeDirectoryInRoot, makeFileInRoot, openInRoot } from '../system/confined-path.ts';

export interface Owner {
  readonly uid: number;
  readonly gid: number;
}

/** What a mount needs in the root file system to sit on. */
export interface MountTarget {
  /** Path inside the container. */
  readonly destination: string;
  /** What is mounted there: a directory or anything else. */
  readonly kind: 'directory' | 'file';
}

/**
 * Creates the working directory where it is missing, the last part of it owned by `owner`, as podman does for an
 * image's WORKDIR. Idempotent; an existing directory is left as it is. Confined to the root file system, symbolic links
 * in it included. Fails with IMAGE_INVALID where a file has the name.
 */
export function ensureWorkdir(rootfs: string, path: string, { uid, gid }: Owner): void {
  const isNew = !existsInRoot(rootfs, path);
  makeDirectoryInRoot(rootfs, path);
  const fd = isNew ? openInRoot(rootfs, path) : undefined;
  if (fd === undefined) return;
  try {
    fchownSync(fd, uid, gid);
  } finally {
    closeSync(fd);
  }
}

/**
 * Creates what is missing for mounts to sit on: directories, or empty files for mounts of anything else. Confined to
 * the root file system, symbolic links in it included. Idempotent; what exists is left as it is, of whatever kind.
 */
export function ensureMountTargets(rootfs: string, targets: readonly MountTarget[]): void {
  for (const { destination, kind } of targets) {
    if (existsInRoot(rootfs, destination)) continue;
    if (kind === 'directory') makeDirectoryInRoot(rootfs, destination);
    else makeFileInRoot(rootfs, destination);
  }
}
