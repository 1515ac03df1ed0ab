import { existsSync } from 'node:fs';
import { mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { type ArchiveCompression, MEMBER, MEMBER_DIRECTORY } from '../../archive/members.ts';
import type { ArchiveTarget, ArchiveWriter } from '../../archive/types.ts';
import { openArchiveWriter } from '../../archive/writer.ts';
import { writeWhole } from '../../criu/delta/write-whole.ts';
import { fail } from '../../model/errors.ts';
import { writeTree } from '../../rootfs/tree-copy.ts';
import type { EngineContext } from '../context.ts';
import { dependencies } from '../plan/dependencies.ts';
import { putLevelsBeside } from './checkout.ts';
import { imagesOf, rootfsTree, volumeTrees } from './entry.ts';
import type { CheckpointReference } from './find.ts';
import { withSnapshot } from './snapshot.ts';

export interface ExportEntryOptions {
  readonly target: ArchiveTarget;
  readonly compression: ArchiveCompression;
}

/**
 * Writes a named checkpoint as an archive like that of an export, in one pass: the pages of the whole chain go straight
 * into it. The container may run and is not touched. Errors: NO_SUCH_OBJECT, IMAGE_INVALID (damaged), NO_SPACE, USAGE,
 * ARCHIVE_FAILED, INTERRUPTED.
 */
export async function exportCheckpoint(
  ctx: EngineContext,
  reference: CheckpointReference,
  { target, compression }: ExportEntryOptions,
): Promise<void> {
  if (dependencies(reference.container).length > 0) {
    fail('CHECKPOINT_REFUSED', { message: 'cannot export checkpoints of containers with dependencies' });
  }
  await withSnapshot(ctx, reference, { whole: true }, async ({ directory, record }) => {
    const scratch = join(directory, 'archive');
    await mkdir(scratch, { mode: 0o700 });
    const writer = await openArchiveWriter({
      target,
      compression,
      scratch,
      progress: (bytes) =>
        ctx.progress({
          phase: 'export',
          subject: reference.text,
          bytes,
          totalBytes: Math.max(bytes, record.wholeBytes),
        }),
      signal: ctx.signal,
    });
    try {
      await writeMembers(ctx, directory, join(scratch, 'images'), writer);
      await writer.finish();
      await writer.publish();
    } finally {
      await writer.discard();
    }
  });
}

/** In the order of an export: what is needed to refuse an import comes first. */
async function writeMembers(
  ctx: EngineContext,
  directory: string,
  scratch: string,
  writer: ArchiveWriter,
): Promise<void> {
  const addFiles = async (...members: readonly string[]): Promise<void> => {
    for (const member of members.filter((name) => existsSync(join(directory, name)))) {
      await writer.addFile(member, join(directory, member));
    }
  };
  await addFiles(MEMBER.config, MEMBER.spec, MEMBER.network, MEMBER.facts);
  await writer.addDirectory(MEMBER_DIRECTORY.artifacts);
  await writer.addDirectory(MEMBER_DIRECTORY.images);
  await mkdir(scratch, { mode: 0o700 });
  await putLevelsBeside(imagesOf(directory));
  await writer.addPages(MEMBER_DIRECTORY.images, scratch, () =>
    writeWhole({ images: imagesOf(directory), into: scratch, signal: ctx.signal }),
  );
  for (const name of (await readdir(scratch)).sort()) {
    await writer.addFile(`${MEMBER_DIRECTORY.images}/${name}`, join(scratch, name));
  }
  await addFiles(MEMBER.statistics, MEMBER.shm, MEMBER.log);
  await writer.addStream(MEMBER.rootfsDiff, (fd) => writeTree(rootfsTree(directory), fd));
  await addFiles(MEMBER.deleted);
  await writeVolumes(directory, writer);
}

async function writeVolumes(directory: string, writer: ArchiveWriter): Promise<void> {
  const trees = volumeTrees(directory);
  if (!existsSync(trees)) return;
  await writer.addDirectory(MEMBER_DIRECTORY.volumes);
  for (const name of (await readdir(trees)).sort()) {
    await writer.addStream(`${MEMBER_DIRECTORY.volumes}/${name}.tar`, (fd) =>
      writeTree(join(trees, name), fd),
    );
  }
}
