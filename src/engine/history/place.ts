import { join } from 'node:path';
import { layerDiffDirectory } from '../../image/layers.ts';
import type { NamedCheckpoint } from '../../model/checkpoint.ts';
import type { Container } from '../../model/container.ts';
import { applyChanges } from '../../rootfs/apply-changes.ts';
import { writeTree } from '../../rootfs/tree-copy.ts';
import { fillVolume } from '../../rootfs/volume-archive.ts';
import { createVolumeDirectory } from '../../rootfs/volumes.ts';
import { publish, syncTree } from '../../system/durable.ts';
import { checkpointDirectory } from '../../system/store-paths.ts';
import { throughPipe } from '../../system/through-pipe.ts';
import type { EngineContext } from '../context.ts';
import { readDeleted } from '../import-archive.ts';
import { checkoutCheckpoint, checkoutTemp } from './checkout.ts';
import { entryDirectory, rootfsTree, volumeTrees } from './entry.ts';

/**
 * Gives a container whose own files were set aside those of a checkpoint, and its images as its own checkpoint. Errors:
 * IMAGE_INVALID, NO_SPACE, PROGRAM_FAILED.
 */
export async function placeEntry(
  ctx: EngineContext,
  { config: { id, layers } }: Container,
  { name }: NamedCheckpoint,
  volumes: readonly string[],
): Promise<void> {
  const entry = entryDirectory(ctx.store, id, name);
  const deleted = await readDeleted(entry);
  const diffs = layers.map((layer) => layerDiffDirectory(ctx.store, layer));
  await throughPipe(
    (fd) => writeTree(rootfsTree(entry), fd),
    (fd) => applyChanges(ctx.store, id, diffs, fd, { deleted, sync: true }),
  );
  for (const volume of volumes) {
    await createVolumeDirectory(ctx.store, volume);
    await throughPipe(
      (fd) => writeTree(join(volumeTrees(entry), volume), fd),
      (fd) => fillVolume(ctx.store, volume, fd, { sync: true }),
    );
  }
  const images = checkoutTemp(ctx.store, id);
  await checkoutCheckpoint(entry, images);
  await syncTree(images);
  await publish(images, checkpointDirectory(ctx.store, id));
}
