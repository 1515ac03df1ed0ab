import { copyFileSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { fail } from '../../src/model/errors.ts';
import { runOk } from '../../src/system/process.ts';
import { findProgram } from '../../src/system/tools.ts';
import type { Program } from './program.ts';

/** Writes the archive of a root file system with a static busybox, and returns its path. */
export async function busyboxArchive({ directory }: Pick<Program, 'directory'>): Promise<string> {
  const busybox =
    findProgram('busybox') ??
    fail('PROGRAM_MISSING', { message: 'the tests need busybox', hint: 'Install busybox-static.' });
  const rootfs = join(directory, 'rootfs');
  for (const name of ['bin', 'etc', 'tmp']) mkdirSync(join(rootfs, name), { recursive: true, mode: 0o755 });
  copyFileSync(busybox, join(rootfs, 'bin', 'busybox'));
  await runOk(['chroot', rootfs, '/bin/busybox', '--install', '-s', '/bin'], 'lay out busybox');
  const archive = join(directory, 'busybox.tar');
  await runOk(['tar', '--create', `--file=${archive}`, `--directory=${rootfs}`, '.'], 'pack busybox');
  return archive;
}

/** Imports busybox under a name and returns the image's ID. */
export async function importBusybox(cryopod: Program, name: string, ...options: string[]): Promise<string> {
  const archive = await busyboxArchive(cryopod);
  const id = await cryopod.ok('import', '--quiet', '--change', 'CMD ["sh"]', ...options, archive, name);
  return id.trim().replace('sha256:', '');
}
