import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fail } from '../model/errors.ts';
import { IMAGE_MAGIC, readImage } from './images.ts';
import { optional, required } from './protobuf.ts';
import { readFileTable } from './view/file-entries.ts';
import { filePath } from './view/files.ts';

/** CRIU images/remap-file-path.proto. */
const REMAP = {
  originalId: required(1, 'uint32'),
  remapId: required(2, 'uint32'),
  type: optional(3, 'uint32'),
};
const LINKED = 0;
const GHOST = 1;

/**
 * Names, as the container sees them, under which CRIU makes and removes files when it restores: those of files that are
 * open and deleted. It does so while the host's root directory is still its own (CRIU criu/files-reg.c create_ghost,
 * clean_one_remap), so that a `..` or a symbolic link in such a name leads to the files of the host. Fails with
 * IMAGE_INVALID for names with `..`, which the kernel never gives.
 */
export async function remappedFiles(images: string): Promise<readonly string[]> {
  const file = join(images, 'remap-fpath.img');
  if (!existsSync(file)) return [];
  if (existsSync(join(images, 'reg-files.img'))) {
    fail('IMAGE_INVALID', {
      message: 'reg-files.img is of a CRIU before 3.4, whose deleted files are not read',
    });
  }
  const remaps = await readImage(file, IMAGE_MAGIC.remapPath, REMAP);
  const table = await readFileTable(images);
  const names = new Set<string>();
  for (const { originalId, remapId, type = LINKED } of remaps) {
    const original = filePath(table, originalId);
    if (type === LINKED) add(names, filePath(table, remapId));
    if (type === LINKED || type === GHOST) add(names, original);
    // CRIU criu/files-reg.c ghost_path
    if (type === GHOST) add(names, original && `${original}.cr.${remapId.toString(16)}.ghost`);
  }
  return [...names];
}

function add(names: Set<string>, name: string | undefined): void {
  if (name === undefined) return;
  if (name.split('/').some((part) => part === '..' || part === '.')) {
    fail('IMAGE_INVALID', { message: `files.img has a name that no open file has: ${JSON.stringify(name)}` });
  }
  names.add(name);
}
