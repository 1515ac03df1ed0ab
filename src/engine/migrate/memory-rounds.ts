import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { IDENTITY_FILE } from '../../archive/identity.ts';
import { MEMBER_DIRECTORY } from '../../archive/members.ts';
import type { ArchiveWriter } from '../../archive/types.ts';
import type { Container } from '../../model/container.ts';
import { logInfo } from '../../system/log.ts';
import type { EngineContext } from '../context.ts';
import { copyWhileRunning, preDump } from '../copy-memory.ts';
import { addFiles } from '../export-images.ts';
import type { CheckpointOptions } from '../plan/checkpoint.ts';
import { endTracking, lastPreCheckpoint, newRecord } from '../pre-checkpoint-files.ts';
import { type Previous, tracksChanges } from '../previous.ts';

/** Memory of a running container in rounds: the first is whole, each later one a delta to the one before it. */
export interface MemoryRounds {
  readonly send: (writer: ArchiveWriter) => Promise<void>;
  /** The last round, for the dump that builds on it. */
  readonly last: () => Previous | undefined;
}

interface RoundsOptions extends Pick<CheckpointOptions, 'tcpEstablished' | 'fileLocks'> {
  /** Existing directory in the container's bundle. */
  readonly directory: string;
}

/**
 * Where the kernel tracks changes, the pages of a round go out as CRIU writes them, and only page maps stay here; elsewhere
 * each round stays, for the comparison with the next.
 */
export async function openMemoryRounds(
  ctx: EngineContext,
  container: Container,
  { directory, ...options }: RoundsOptions,
): Promise<MemoryRounds> {
  const tracked = await tracksChanges(ctx);
  logInfo(
    `${container.config.name}: what changes between rounds is told ${tracked ? "by the kernel's memory tracking" : 'by content'}`,
  );
  // Each dump by CRIU makes the kernel begin anew.
  const kept = tracked ? lastPreCheckpoint(ctx.store, container) : undefined;
  if (kept !== undefined) await endTracking(kept);
  let number = 0;
  let last: Previous | undefined;
  const copy = async (images: string, before: Previous | undefined, writer: ArchiveWriter): Promise<void> => {
    if (!tracked) {
      await copyWhileRunning(ctx, container, images, before);
      return;
    }
    await mkdir(images, { mode: 0o700 });
    await writer.addPages(MEMBER_DIRECTORY.preImages, images, () =>
      preDump(ctx, container, images, { ...options, parentPath: before?.link }),
    );
  };
  return {
    last: () => last,
    send: async (writer) => {
      const before = number === 0 ? undefined : last && { ...last, link: `../${number}` };
      number += 1;
      const images = join(directory, String(number));
      await copy(images, before, writer);
      await addFiles(writer, MEMBER_DIRECTORY.preImages, images, [IDENTITY_FILE]);
      if (tracked) await standIn(images);
      last = {
        directory: images,
        link: `../${basename(directory)}/${number}`,
        record: newRecord(container, { tracked: false }),
        tracked,
      };
    },
  };
}

/** CRIU opens the pages files of images that it builds on, and reads nothing of them (criu/pagemap.c open_page_read_at). */
async function standIn(images: string): Promise<void> {
  const maps = (await readdir(images)).filter((name) => name.startsWith('pagemap-'));
  for (const i of maps.keys()) await writeFile(join(images, `pages-${i + 1}.img`), '', { mode: 0o600 });
}
