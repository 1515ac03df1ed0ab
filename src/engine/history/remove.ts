import { existsSync, readdirSync } from 'node:fs';
import { readlink, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { absorbParent } from '../../criu/delta/absorb-parent.ts';
import type { NamedCheckpoint } from '../../model/checkpoint.ts';
import { errnoOf, fail, isCryopodError } from '../../model/errors.ts';
import { deleteCheckpoint, listCheckpoints } from '../../state/checkpoints.ts';
import { beginOperation, endOperation } from '../../state/journal.ts';
import { undoOnFailure } from '../../system/cleanup.ts';
import { syncTree, TEMP_PREFIX } from '../../system/durable.ts';
import { faultPoint } from '../../system/faults.ts';
import { runOk } from '../../system/process.ts';
import { replaceCheckpoint } from '../checkpoint-files.ts';
import { codedFailure } from '../coded-failure.ts';
import type { EngineContext } from '../context.ts';
import { withContainer } from '../with-container.ts';
import { inheritDamage } from './damage.ts';
import { digestOfEntry, entryDirectory, imagesOf, parentLink, writeImageDigests } from './entry.ts';
import { type CheckpointReference, requireRecord } from './find.ts';
import { entrySizes } from './sizes.ts';

/**
 * Removes a checkpoint from a container's history. The one that is stored against it takes in what it needs of it, so that
 * all others can be restored as before. Errors: NO_SUCH_OBJECT, NO_SPACE, IMAGE_INVALID, BUSY.
 */
export async function removeCheckpoint(ctx: EngineContext, reference: CheckpointReference): Promise<void> {
  await withContainer(ctx, reference.container.config.id, 'remove a checkpoint', async () => {
    await removeRecorded(ctx, requireRecord(ctx, reference));
  });
}

/** {@link removeCheckpoint} for a caller that holds the container's lock. */
export async function removeRecorded(ctx: EngineContext, record: NamedCheckpoint): Promise<void> {
  const { container, name } = record;
  const operation = beginOperation(ctx.db, 'forget', container, { name });
  const work = undoOnFailure(async (cleanup) => {
    cleanup.add('settle the removal', async () => {
      // What cannot be settled now is left to recovery.
      await settleForget(ctx, container, name);
      endOperation(ctx.db, operation);
    });
    faultPoint('forget.journalled');
    for (const heir of heirsOf(ctx, record)) {
      await absorb(ctx, heir, record).catch((error: unknown) => failAbsorbing(error, heir, record));
    }
    faultPoint('forget.replaced');
    await forget(ctx, record);
  });
  await codedFailure(work, 'STORE_FAILED', `remove the checkpoint ${name}`);
  endOperation(ctx.db, operation);
}

const heirsOf = (ctx: EngineContext, { container, name }: NamedCheckpoint): NamedCheckpoint[] =>
  listCheckpoints(ctx.db, container).filter(({ parent }) => parent === name);

/** Beside an entry's images, what shall take their place. */
const absorbed = (entry: string): string => join(entry, `${TEMP_PREFIX}absorbed`);

async function absorb(ctx: EngineContext, heir: NamedCheckpoint, gone: NamedCheckpoint): Promise<void> {
  const entry = entryDirectory(ctx.store, heir.container, heir.name);
  const into = absorbed(entry);
  await absorbParent({
    images: imagesOf(entry),
    into,
    link: gone.parent === undefined ? undefined : parentLink(gone.parent),
    signal: ctx.signal,
  });
  await inheritDamage(into, [
    imagesOf(entry),
    imagesOf(entryDirectory(ctx.store, gone.container, gone.name)),
  ]);
  await writeImageDigests(into, { signal: ctx.signal });
  await syncTree(into);
  faultPoint('forget.absorbed');
  await replaceCheckpoint(into, imagesOf(entry));
}

/** Pages that cannot even be read: the checkpoints that need them are lost. */
function failAbsorbing(error: unknown, heir: NamedCheckpoint, gone: NamedCheckpoint): never {
  if (!isCryopodError(error, 'IMAGE_INVALID')) throw error;
  return fail('IMAGE_INVALID', {
    message: `cannot remove the checkpoint ${gone.name}: ${heir.name} is stored against it and would take in its pages: ${error.message}`,
    hint: `Remove ${heir.name} first.`,
    cause: error,
  });
}

/** What was stored against it stands by itself: the record goes, in one step with what it says of the heirs. */
async function forget(ctx: EngineContext, record: NamedCheckpoint): Promise<void> {
  const { container, name, parent } = record;
  const heirs = await Promise.all(
    heirsOf(ctx, record).map(async (heir): Promise<NamedCheckpoint> => {
      const entry = entryDirectory(ctx.store, container, heir.name);
      const earlier = parent === undefined ? undefined : entryDirectory(ctx.store, container, parent);
      const { own } = await entrySizes(entry, earlier);
      return { ...heir, parent, ownBytes: own, digest: await digestOfEntry(entry) };
    }),
  );
  deleteCheckpoint(ctx.db, record, heirs);
  faultPoint('forget.recorded');
  const directory = entryDirectory(ctx.store, container, name);
  await runOk(['rm', '-rf', '--one-file-system', '--', directory], `remove ${directory}`);
}

/**
 * After a removal that did not come to its end: heirs that stand by themselves are recorded as such and the removal is
 * completed; where one does not yet, what was begun goes and the checkpoint stays. Idempotent.
 */
export async function settleForget(ctx: EngineContext, container: string, name: string): Promise<void> {
  await settleHeirs(ctx, container, name);
  const record = listCheckpoints(ctx.db, container).find((one) => one.name === name);
  if (record === undefined) {
    await rm(entryDirectory(ctx.store, container, name), { recursive: true, force: true });
    return;
  }
  const heirs = heirsOf(ctx, record);
  const waiting = [];
  for (const heir of heirs) if (await buildsOn(ctx, heir, name)) waiting.push(heir);
  if (heirs.length > 0 && waiting.length === 0) await forget(ctx, record);
}

/** Images that were about to take the place of others do so where those are gone already, or are removed. */
async function settleHeirs(ctx: EngineContext, container: string, name: string): Promise<void> {
  for (const { name: heir } of listCheckpoints(ctx.db, container).filter(({ parent }) => parent === name)) {
    const entry = entryDirectory(ctx.store, container, heir);
    if (!existsSync(imagesOf(entry))) await replaceCheckpoint(absorbed(entry), imagesOf(entry));
    for (const file of readdirSync(entry).filter((one) => one.startsWith(TEMP_PREFIX))) {
      await rm(join(entry, file), { recursive: true, force: true });
    }
  }
}

async function buildsOn(ctx: EngineContext, heir: NamedCheckpoint, name: string): Promise<boolean> {
  const link = join(imagesOf(entryDirectory(ctx.store, heir.container, heir.name)), 'parent');
  try {
    return (await readlink(link)) === parentLink(name);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return false;
    throw error;
  }
}
