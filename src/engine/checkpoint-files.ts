import { existsSync } from 'node:fs';
import { readFile, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { publish } from '../system/durable.ts';

/** Name that a checkpoint has while a newer one takes its place. */
const REPLACED = '.tmp-replaced-checkpoint';

/** CRIU writes inventory.img; images without it were never complete (CRIU cr-dump.c). */
export const holdsImages = (directory: string): boolean => existsSync(join(directory, 'inventory.img'));

/**
 * Puts complete, synced images in the place of the checkpoint that was there. A crash in between leaves at least one of
 * the two under a name that recovery knows. Idempotent.
 */
export async function replaceCheckpoint(images: string, path: string): Promise<void> {
  const replaced = join(dirname(path), REPLACED);
  if (existsSync(images)) {
    if (existsSync(path)) {
      await rm(replaced, { recursive: true, force: true });
      await publish(path, replaced);
    }
    await publish(images, path);
  }
  await rm(replaced, { recursive: true, force: true });
}

/** CRIU's last line of a dump that succeeded (CRIU criu/cr-dump.c, cr_dump_finish). */
const SUCCEEDED = /Dumping finished successfully/;
/**
 * What CRIU says when all images are written and it sets out to end the processes; it may be killed before its last line
 * (criu/seize.c pstree_switch_state; 2 is COMPEL_TASK_DEAD).
 */
const ENDS_PROCESSES = /Unfreezing tasks into 2$/m;

/**
 * After a crash: true when the images that were being made, or that had already taken the checkpoint's place, are whole.
 * dump.log belongs to them, since each dump writes it anew.
 */
export const dumpIsComplete = (images: string, path: string, log: string): Promise<boolean> =>
  areWhole(images, path, log, SUCCEEDED);

/** The same of a dump that was to end the processes. */
export const endIsLogged = (images: string, path: string, log: string): Promise<boolean> =>
  areWhole(images, path, log, ENDS_PROCESSES);

async function areWhole(images: string, path: string, log: string, line: RegExp): Promise<boolean> {
  const isThere = holdsImages(images) || (!existsSync(images) && holdsImages(path));
  return isThere && existsSync(log) && line.test(await readFile(log, 'utf8'));
}
