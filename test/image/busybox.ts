import { cp, mkdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { runOk } from '../../src/system/process.ts';
import type { Workplace } from './support.ts';

/** A small root file system as a tar archive; returns its path. */
export async function busyboxTar(place: Workplace, motd = 'hello'): Promise<string> {
  const root = join(place.directory, `rootfs-${motd}`);
  await mkdir(join(root, 'bin'), { recursive: true });
  await mkdir(join(root, 'etc'));
  await cp('/bin/busybox', join(root, 'bin/busybox'));
  await symlink('busybox', join(root, 'bin/sh'));
  await writeFile(join(root, 'etc/motd'), motd);
  const archive = join(place.directory, `rootfs-${motd}.tar`);
  await runOk(['tar', '-C', root, '-cf', archive, '.'], 'make a root file system archive');
  return archive;
}

/** podman on a store of the test's own; without overlay, whose mounts would outlive the test. */
export const podman = (place: Workplace, ...args: readonly string[]): Promise<string> =>
  runOk(
    [
      'podman',
      `--root=${join(place.directory, 'podman')}`,
      `--runroot=${join(place.directory, 'podman-run')}`,
      '--storage-driver=vfs',
      '--cgroup-manager=cgroupfs',
      '--events-backend=file',
      ...args,
    ],
    `podman ${args.join(' ')}`,
  );

/** One field of `podman image inspect`. */
export const podmanField = async (place: Workplace, name: string, field: string): Promise<string> =>
  (await podman(place, 'image', 'inspect', '--format', `{{.${field}}}`, name)).trim();
