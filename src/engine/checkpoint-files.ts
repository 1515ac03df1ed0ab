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

/** CRIU's last line of a dump that succeeded (CRIU cr-dump.c). */
const DUMP_SUCCEEDED = 'Dumping finished successfully';

/**
 * After a crash: true when the images that were being made, or that had already taken the checkpoint's place, are whole.
 * dump.log belongs to them, since each dump writes it anew.
 */
export async function dumpIsComplete(images: string, path: string, log: string): Promise<boolean> {
  if (!holdsImages(images)) return !existsSync(images) && holdsImages(path) && (await logSaysSuccess(log));
  return await logSaysSuccess(log);
}

async function logSaysSuccess(log: string): Promise<boolean> {
  return existsSync(log) && (await readFile(log, 'utf8')).includes(DUMP_SUCCEEDED);
}
