import { statfsSync } from 'node:fs';
import { mkdir, open, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { errnoOf, fail } from '../model/errors.ts';
import { run } from '../system/process.ts';

/** f_type of a namespace file (linux/magic.h, NSFS_MAGIC). */
const NSFS_MAGIC = 0x6e736673;

/** True while `path` is a namespace that the kernel keeps; an ordinary file left over from before a reboot is none. */
export function namespaceExists(path: string): boolean {
  try {
    return statfsSync(path).type === NSFS_MAGIC;
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return false;
    throw error;
  }
}

/**
 * Makes a network namespace that lives as long as its file `path`, with lo up. Idempotent: an existing one is left as
 * it is. Fails with NETWORK_FAILED and leaves nothing.
 */
export async function createNamespace(path: string): Promise<void> {
  if (namespaceExists(path)) return;
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  await (await open(path, 'w', 0o600)).close();
  const result = await run(['unshare', `--net=${path}`, '--', 'ip', 'link', 'set', 'lo', 'up']);
  if (result.ok) return;
  await removeNamespace(path);
  fail('NETWORK_FAILED', {
    message: `could not make a network namespace at ${path}: ${result.stderr.trim() || 'unshare is not installed'}`,
    hint: 'Creating network namespaces needs root (CAP_SYS_ADMIN).',
  });
}

/**
 * Lets go of a namespace: it ends, with its links, when no process is in it any more. Idempotent; also removes the
 * ordinary file that a reboot leaves.
 */
export async function removeNamespace(path: string): Promise<void> {
  while (namespaceExists(path)) {
    // Lazy, because another mount namespace may still look at the mount; it is gone from here all the same.
    const result = await run(['umount', '--no-mtab', '--lazy', '--', path]);
    if (!result.ok && namespaceExists(path)) {
      fail('NETWORK_FAILED', { message: `could not unmount ${path}: ${result.stderr.trim()}` });
    }
  }
  await rm(path, { force: true });
}

/** The argv that runs `command` in a network namespace. */
export const inNamespace = (path: string, command: readonly string[]): string[] => [
  'nsenter',
  `--net=${path}`,
  '--',
  ...command,
];
