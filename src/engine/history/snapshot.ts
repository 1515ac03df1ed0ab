import { existsSync } from 'node:fs';
import { link, open, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { MEMBER, MEMBER_DIRECTORY } from '../../archive/members.ts';
import type { NamedCheckpoint } from '../../model/checkpoint.ts';
import { fail } from '../../model/errors.ts';
import { writeTree } from '../../rootfs/tree-copy.ts';
import { runOk } from '../../system/process.ts';
import { throughPipe } from '../../system/through-pipe.ts';
import { treeSize } from '../../system/tree-size.ts';
import { withScratch } from '../checkpoint-view/scratch.ts';
import type { EngineContext } from '../context.ts';
import { type ImportedArchive, viewOf } from '../import-archive.ts';
import { withContainer } from '../with-container.ts';
import { checkoutImages } from './checkout.ts';
import { findDamage } from './damage.ts';
import { DIGESTS, entryDirectory, imagesOf, rootfsTree, volumeTrees } from './entry.ts';
import { type CheckpointReference, requireStored } from './find.ts';

export interface Snapshot {
  /** Laid out as an entry is, of hard links; the images' chain lies inside. */
  readonly directory: string;
  readonly record: NamedCheckpoint;
}

/**
 * Gives `work` a named checkpoint as it is at this moment, made of hard links: whatever happens to the container and its
 * history meanwhile, and no other command has to wait. With `whole`, one that is known to be damaged is refused. Errors:
 * NO_SUCH_OBJECT, BUSY, IMAGE_INVALID.
 */
export async function withSnapshot<T>(
  ctx: EngineContext,
  reference: CheckpointReference,
  { whole }: { readonly whole: boolean },
  work: (snapshot: Snapshot) => Promise<T>,
): Promise<T> {
  return await withScratch(ctx.store, async (directory) => {
    const { id } = reference.container.config;
    const record = await withContainer(ctx, id, 'read a checkpoint', async ({ config }) => {
      const found = requireStored(ctx, reference);
      if (whole) await refuseDamaged(ctx, reference, found);
      await linkEntry(entryDirectory(ctx.store, id, found.name), directory);
      await takeLog(config.logPath, found.logBytes, join(directory, MEMBER.log));
      return found;
    });
    return await work({ directory, record });
  });
}

async function refuseDamaged(
  ctx: EngineContext,
  { text, container }: CheckpointReference,
  record: NamedCheckpoint,
): Promise<void> {
  const damage = await findDamage(ctx, record);
  if (damage === undefined) return;
  fail('IMAGE_INVALID', {
    message: `the checkpoint ${text} is damaged: ${damage}`,
    hint: `cryopod checkpoint verify ${container.config.name} shows what is whole.`,
  });
}

async function linkEntry(entry: string, into: string): Promise<void> {
  for (const file of await readdir(entry, { withFileTypes: true })) {
    if (file.isFile() && file.name !== DIGESTS) await link(join(entry, file.name), join(into, file.name));
  }
  await checkoutImages(entry, imagesOf(into));
  for (const tree of [rootfsTree(entry), volumeTrees(entry)].filter((path) => existsSync(path))) {
    await runOk(['cp', '--archive', '--link', '--', tree, into], 'link the files of a checkpoint');
  }
}

/** What the container had written by then; a log that was begun anew since holds less. */
async function takeLog(path: string, bytes: number, into: string): Promise<void> {
  if (path === '' || bytes === 0 || !existsSync(path)) return;
  const file = await open(into, 'wx', 0o600);
  try {
    await runOk(['head', `--bytes=${bytes}`, '--', path], 'copy the log', { stdout: file.fd });
  } finally {
    await file.close();
  }
}

interface Leaving {
  readonly ignoreRootfs: boolean;
  readonly ignoreVolumes: boolean;
}

/** A snapshot in the place of an unpacked archive, for whatever makes containers of archives. */
export async function asArchive(
  { directory }: Snapshot,
  name: string,
  { ignoreRootfs, ignoreVolumes }: Leaving,
): Promise<ImportedArchive> {
  const view = await viewOf(directory, name, undefined);
  const treeOf = (member: string): string | undefined => {
    if (member === MEMBER.rootfsDiff) return ignoreRootfs ? undefined : rootfsTree(directory);
    const [, volume] = VOLUME.exec(member) ?? [];
    return volume === undefined || ignoreVolumes ? undefined : join(volumeTrees(directory), volume);
  };
  return {
    directory,
    // What it has of this host was granted when the container was made.
    view: { ...view, risks: [], members: await membersOf(directory, { ignoreRootfs, ignoreVolumes }) },
    buildsOn: false,
    has: (member) => existsSync(treeOf(member) ?? join(directory, member)),
    read: (member, work) =>
      throughPipe(
        (fd) => writeTree(treeOf(member) ?? '', fd),
        (fd) => work(fd),
      ),
  };
}

const VOLUME = new RegExp(`^${MEMBER_DIRECTORY.volumes}/(.+)\\.tar$`);

/** What the preflight of an import has to know: which volumes come with it, and about how much is written. */
async function membersOf(
  directory: string,
  { ignoreRootfs, ignoreVolumes }: Leaving,
): Promise<{ readonly name: string; readonly size: number }[]> {
  const trees = volumeTrees(directory);
  const volumes = ignoreVolumes || !existsSync(trees) ? [] : await readdir(trees);
  const rootfs = ignoreRootfs ? 0 : await treeSize(rootfsTree(directory));
  return [
    { name: MEMBER.rootfsDiff, size: rootfs },
    ...(await Promise.all(
      volumes.map(async (name) => ({
        name: `${MEMBER_DIRECTORY.volumes}/${name}.tar`,
        size: await treeSize(join(trees, name)),
      })),
    )),
  ];
}
