import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { MEMBER_DIRECTORY } from '../../archive/members.ts';
import { writeDelta } from '../../criu/delta/write-delta.ts';
import type { NamedCheckpoint } from '../../model/checkpoint.ts';
import { linkUnchanged } from '../../rootfs/tree-links.ts';
import { addCheckpoint, putCheckpoint } from '../../state/checkpoints.ts';
import { readDigests } from '../../system/digests.ts';
import { publish } from '../../system/durable.ts';
import { faultPoint } from '../../system/faults.ts';
import { logWarning } from '../../system/log.ts';
import { runOk } from '../../system/process.ts';
import type { EngineContext } from '../context.ts';
import {
  DIGESTS,
  digestOfEntry,
  entryDirectory,
  imagesOf,
  parentLink,
  writeImageDigests,
  writeMemberDigests,
} from './entry.ts';
import { entrySizes } from './sizes.ts';

export interface NewEntry {
  readonly container: string;
  readonly name: string;
  /** ISO 8601: the moment that it holds. */
  readonly created: string;
  readonly automatic: boolean;
  readonly parent: NamedCheckpoint | undefined;
  readonly logBytes: number;
  /** Directory with all that was copied while the container was frozen. */
  readonly temp: string;
  /** Directory of the whole images; gone afterwards. */
  readonly images: string;
}

/**
 * Makes what was copied from a frozen container an entry of its history: pages as a delta, files as links to the earlier
 * ones where they are the same, everything with its digest, on disk, under its name, recorded. The container need not
 * stand still for it. Errors: NO_SPACE, IMAGE_INVALID, PROGRAM_FAILED, INTERRUPTED.
 */
export async function storeEntry(ctx: EngineContext, entry: NewEntry): Promise<void> {
  const { container, name, temp, parent } = entry;
  const parentPageBytes = await storeImages(ctx, entry);
  await storeFiles(ctx, entry);
  const earlier = parent === undefined ? undefined : entryDirectory(ctx.store, container, parent.name);
  const { own, shared } = await entrySizes(temp, earlier);
  const digest = await digestOfEntry(temp);
  await syncFiles(temp);
  faultPoint('history.written');
  await publish(temp, entryDirectory(ctx.store, container, name));
  faultPoint('history.published');
  addCheckpoint(ctx.db, {
    container,
    name,
    created: entry.created,
    status: 'complete',
    parent: parent?.name,
    automatic: entry.automatic,
    wholeBytes: own + shared + parentPageBytes,
    ownBytes: own,
    logBytes: entry.logBytes,
    digest,
    message: '',
  });
  faultPoint('history.recorded');
}

/** Gives the bytes of the pages that the parent holds for it. */
async function storeImages(
  ctx: EngineContext,
  { container, temp, images, parent }: NewEntry,
): Promise<number> {
  const into = imagesOf(temp);
  let parentBytes = 0;
  if (parent === undefined) {
    await publish(images, into);
  } else {
    const { parentPages, pageBytes } = await writeDelta({
      images,
      parent: imagesOf(entryDirectory(ctx.store, container, parent.name)),
      into,
      link: parentLink(parent.name),
      signal: ctx.signal,
    });
    parentBytes = parentPages * pageBytes;
    await rm(images, { recursive: true });
  }
  await writeImageDigests(into, { signal: ctx.signal });
  return parentBytes;
}

const isFile = (name: string): boolean =>
  name.startsWith('./rootfs/') || name.startsWith(`./${MEMBER_DIRECTORY.volumes}/`);

async function storeFiles(ctx: EngineContext, { container, temp, parent }: NewEntry): Promise<void> {
  await writeMemberDigests(temp, { signal: ctx.signal });
  if (parent === undefined) return;
  const directory = entryDirectory(ctx.store, container, parent.name);
  const { damaged } = await linkUnchanged(
    { directory: temp, digests: await readDigests(join(temp, DIGESTS)) },
    { directory, digests: await readDigests(join(directory, DIGESTS)) },
    isFile,
    ctx.signal,
  );
  const [first] = damaged;
  if (first === undefined) return;
  const message = `${Buffer.from(first.slice(2), 'latin1')} is not as it was written`;
  logWarning(`the checkpoint ${parent.name} is damaged: ${message}`);
  putCheckpoint(ctx.db, { ...parent, status: 'damaged', message });
}

/** fsync of all files and directories below one, by a program: there may be many. */
async function syncFiles(directory: string): Promise<void> {
  const types = ['(', '-type', 'f', '-o', '-type', 'd', ')'];
  await runOk(
    ['find', directory, '-xdev', ...types, '-exec', 'sync', '--', '{}', '+'],
    'write the checkpoint to disk',
  );
}
