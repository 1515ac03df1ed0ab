import { existsSync } from 'node:fs';
import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Container } from '../model/container.ts';
import { messageOf } from '../model/errors.ts';
import { holdNetwork } from '../network/hold.ts';
import { namespaceExists } from '../network/namespace.ts';
import { removeContainerFiles } from '../rootfs/overlay.ts';
import { openRuntime } from '../runtime/runtime.ts';
import { containerById } from '../state/containers.ts';
import { endOperation, type JournalEntry, unfinishedOperations } from '../state/journal.ts';
import { withLock } from '../state/locks.ts';
import { TEMP_PREFIX } from '../system/durable.ts';
import { logWarning } from '../system/log.ts';
import { bootId } from '../system/procfs.ts';
import { bundleDirectory, checkpointDirectory, netnsPath, runDirectory } from '../system/store-paths.ts';
import { finishCheckpoint } from './checkpoint.ts';
import { dumpIsComplete, replaceCheckpoint } from './checkpoint-files.ts';
import type { EngineContext } from './context.ts';
import { type DeltaParent, deltaBeside } from './delta-images.ts';
import { endStrays } from './end-strays.ts';
import { endContainer } from './export-end.ts';
import { removeImages } from './export-images.ts';
import { removeLinkRemaps } from './export-links.ts';
import { goOnRunning, hasEndedContainer, NETWORKERS, untilLeftAlone } from './go-on.ts';
import { repairForget, repairGoBack, repairTag } from './history/recover.ts';
import { collectUnusedFiles, IMAGE_WORK } from './image/collect.ts';
import { withImagesLock } from './image/lock.ts';
import { removeVolumes, syncImported } from './import.ts';
import { endIncomplete } from './incomplete.ts';
import { stopPages } from './lazy-pages.ts';
import { noteRepairedArrival, repairMigrate } from './migrate/recover.ts';
import { processLives, recordedAsActive } from './observe.ts';
import { release } from './release.ts';
import { removeLocked } from './remove.ts';
import { finishRestore } from './restore.ts';
import { settleUnwatched } from './serve-pages.ts';
import { settleExit } from './settle.ts';

type Repair = (ctx: EngineContext, entry: JournalEntry, container: Container | undefined) => Promise<void>;

/** For each journalled operation: what makes the store whole again when its process died in the middle. All idempotent. */
const REPAIRS: Readonly<Record<string, Repair>> = {
  create: repairCreate,
  start: repairStart,
  checkpoint: repairCheckpoint,
  'pre-checkpoint': repairPreCheckpoint,
  'pre-export': repairPreExport,
  rounds: repairRounds,
  export: repairExport,
  import: async (ctx, entry, container) => {
    await repairImport(ctx, entry, container);
    noteRepairedArrival(ctx, entry);
  },
  restore: repairRestore,
  pages: repairPages,
  remove: repairRemove,
  migrate: (ctx, entry, container) => repairMigrate(ctx, entry, container, { goOnRunning }),
  tag: (ctx, entry, container) => repairTag(ctx, entry, container, { goOnRunning, undoRestore }),
  'go back': (ctx, entry, container) => repairGoBack(ctx, entry, container, { goOnRunning, undoRestore }),
  forget: repairForget,
  [IMAGE_WORK]: repairImageWork,
};

/**
 * Repairs what crashed commands left unfinished, oldest first: afterwards each container either runs as before or is
 * stopped, with a complete checkpoint if it had come that far. Costs one query when there is nothing to do.
 */
export async function recover(ctx: EngineContext): Promise<void> {
  const subjects = new Set(unfinishedOperations(ctx.db).map(({ subject }) => subject));
  for (const subject of subjects) {
    try {
      await recoverSubject(ctx, subject);
    } catch (error) {
      // What cannot be repaired now (a full disk, a missing program) must not keep the other containers from their users.
      logWarning(`could not recover ${subject}, the next command tries again: ${messageOf(error)}`);
    }
  }
}

async function recoverSubject(ctx: EngineContext, subject: string): Promise<void> {
  await withLock(ctx.db, `container ${subject}`, 'recover', () => recoverLocked(ctx, subject));
}

/**
 * Repairs what crashed commands left unfinished on one object whose lock the caller holds: also one that died while the
 * caller waited for it.
 */
export async function recoverLocked(ctx: EngineContext, subject: string): Promise<void> {
  const entries = unfinishedOperations(ctx.db).filter((entry) => entry.subject === subject);
  if (entries.length === 0) return;
  await endUnusedServer(ctx, containerById(ctx.db, subject));
  if (entries.some(isIncomplete)) await endIncomplete(ctx, containerById(ctx.db, subject));
  await untilLeftAlone(bundleDirectory(ctx.store, subject), ctx.signal);
  await untilLeftAlone(netnsPath(ctx.store, subject), ctx.signal, NETWORKERS);
  for (const entry of entries) {
    logWarning(`recovering: "${entry.operation}" of ${subject} did not come to its end`);
    await REPAIRS[entry.operation]?.(ctx, entry, containerById(ctx.db, subject));
    endOperation(ctx.db, entry.id);
  }
  await sweepTemps(bundleDirectory(ctx.store, subject));
}

/**
 * Temporary files that a killed command has left in a bundle, or beside the images in one of its directories: whatever is of
 * use has got its name by now.
 */
async function sweepTemps(bundle: string): Promise<void> {
  if (!existsSync(bundle)) return;
  const directories = (await readdir(bundle, { withFileTypes: true })).filter((entry) => entry.isDirectory());
  for (const directory of [bundle, ...directories.map(({ name }) => join(bundle, name))]) {
    for (const name of existsSync(directory) ? await readdir(directory) : []) {
      if (name.startsWith(TEMP_PREFIX)) await rm(join(directory, name), { recursive: true, force: true });
    }
  }
}

/** An import whose memory came from another host, and had not all come. */
const isIncomplete = ({ data }: Pick<JournalEntry, 'data'>): boolean =>
  data.lazy === true && data.whole !== true;

async function removeLeftFiles(ctx: EngineContext, id: string): Promise<void> {
  await removeContainerFiles(ctx.store, id);
  await rm(runDirectory(ctx.store, id), { recursive: true, force: true });
}

async function repairCreate(
  ctx: EngineContext,
  { subject }: JournalEntry,
  container: Container | undefined,
): Promise<void> {
  if (container === undefined) await removeLeftFiles(ctx, subject);
}

/** A start that was not recorded as running is undone: whatever of it runs has no one who knows it. */
async function repairStart(
  ctx: EngineContext,
  _: JournalEntry,
  container: Container | undefined,
): Promise<void> {
  if (container === undefined || recordedAsActive(container)) return;
  await deleteFromRuntime(ctx, container);
  await release(ctx, container);
}

async function deleteFromRuntime(ctx: EngineContext, { config }: Container): Promise<void> {
  const { id, runtime, cgroupManager } = config;
  await openRuntime(ctx.store, runtime, { cgroupManager }).delete(id, { force: true });
  await endStrays(ctx, config);
}

async function repairCheckpoint(
  ctx: EngineContext,
  { id: entry, data, bootId: begunIn }: JournalEntry,
  container: Container | undefined,
): Promise<void> {
  if (container === undefined) return;
  const bundle = bundleDirectory(ctx.store, container.config.id);
  const images = join(bundle, String(data.images));
  const checkpoint = checkpointDirectory(ctx.store, container.config.id);
  const leaveRunning = data.leaveRunning === true;
  if (processLives(container)) await goOnRunning(ctx, container);
  await rm(deltaBeside(images), { recursive: true, force: true });
  const isPublished = data.published === true;
  // What has not got its final name may not have reached the disk before the power went.
  if (isPublished || begunIn !== bootId()) await rm(images, { recursive: true, force: true });
  if (container.state.checkpointed) return;
  const isWhole = leaveRunning
    ? await dumpIsComplete(images, checkpoint, join(bundle, 'dump.log'))
    : await hasEndedContainer(ctx, container, images);
  if (isPublished || isWhole) {
    const parent = deltaParent(bundle, data.delta);
    const delta = parent && { ...parent, entry };
    await finishCheckpoint(ctx, container, { images, delta }, { leaveRunning, keep: false });
    return;
  }
  await rm(images, { recursive: true, force: true });
  await replaceCheckpoint(images, checkpoint);
  if (!processLives(container) && recordedAsActive(container)) await settleExit(ctx, container);
}

function deltaParent(bundle: string, name: unknown): DeltaParent | undefined {
  if (typeof name !== 'string' || !existsSync(join(bundle, name))) return undefined;
  return { directory: join(bundle, name), link: `../${name}` };
}

/** A copy of memory that was not finished is of no use; the one before it stays. */
async function repairPreCheckpoint(
  ctx: EngineContext,
  { data }: JournalEntry,
  container: Container | undefined,
): Promise<void> {
  if (container === undefined) return;
  const images = join(bundleDirectory(ctx.store, container.config.id), String(data.images));
  await rm(images, { recursive: true, force: true });
  if (processLives(container)) await goOnRunning(ctx, container);
}

/** Rounds of a move that has not come to the freeze. */
async function repairRounds(
  ctx: EngineContext,
  { data }: JournalEntry,
  container: Container | undefined,
): Promise<void> {
  if (container === undefined) return;
  const directory = join(bundleDirectory(ctx.store, container.config.id), String(data.directory));
  await rm(directory, { recursive: true, force: true });
  if (processLives(container)) await goOnRunning(ctx, container);
}

/** Whatever became of the archive, the container goes on, and its pre-checkpoint is another operation. */
async function repairPreExport(_: EngineContext, { data }: JournalEntry): Promise<void> {
  if (typeof data.temp === 'string') await rm(data.temp, { force: true });
}

/**
 * An export ends the container only when its archive is complete, and notes that first: such a container is ended, and so
 * is one that was lost, with a reboot, after its archive was complete. Any other one that lives goes on.
 */
async function repairExport(
  ctx: EngineContext,
  { data }: JournalEntry,
  container: Container | undefined,
): Promise<void> {
  if (typeof data.temp === 'string') await rm(data.temp, { force: true });
  if (container === undefined) return;
  const { images, published, leaveRunning, ending } = data;
  if (images === undefined) {
    // It went through a local checkpoint, whose own entry repairs that one.
    if (ending === true) await endContainer(ctx, container, { keep: false });
    return;
  }
  await removeImages(join(bundleDirectory(ctx.store, container.config.id), String(images)));
  const isLost = recordedAsActive(container) && !processLives(container);
  if (ending === true || (isLost && published === true && leaveRunning !== true)) {
    await endContainer(ctx, container, { keep: false });
    return;
  }
  await removeLinkRemaps(ctx, container, listOf(data.links));
  if (processLives(container)) await goOnRunning(ctx, container);
  else if (recordedAsActive(container)) await settleExit(ctx, container);
}

async function repairRestore(
  ctx: EngineContext,
  { data }: JournalEntry,
  container: Container | undefined,
): Promise<void> {
  if (container === undefined) return;
  if (recordedAsActive(container)) {
    // Where they have ended since, with the power, the checkpoint is all that there is of them.
    if (processLives(container)) await finishRestore(ctx, container, { keep: data.keep === true });
    return;
  }
  await undoRestore(ctx, container);
}

/** A restore that was not recorded as running: the container is stopped again, its address held if it was. */
async function undoRestore(ctx: EngineContext, container: Container): Promise<void> {
  await deleteFromRuntime(ctx, container);
  const { netns, networkHeld } = container.state;
  if (networkHeld && netns !== undefined && namespaceExists(netns)) await holdNetwork(netns);
  await release(ctx, container, { keepNetwork: networkHeld });
}

/** A lazy restore whose watcher died; its server has ended by now. */
async function repairPages(
  ctx: EngineContext,
  { data }: JournalEntry,
  container: Container | undefined,
): Promise<void> {
  if (container?.state.pages === undefined) return;
  await settleUnwatched(ctx, container, { keep: data.keep === true });
}

/**
 * Nobody will ask the server of a lazy restore for pages that was killed before its processes were recorded, and it would
 * wait for ever. Whatever runs of the container goes first: it would read zeros.
 */
async function endUnusedServer(ctx: EngineContext, container: Container | undefined): Promise<void> {
  if (container?.state.pages === undefined || recordedAsActive(container)) return;
  await deleteFromRuntime(ctx, container);
  stopPages(ctx, container.config.id);
}

/**
 * An import that came to running processes is finished; of any other, all that it created goes. So it does after a reboot:
 * an import that has not ended has not synced its files.
 */
async function repairImport(
  ctx: EngineContext,
  { subject, data }: JournalEntry,
  container: Container | undefined,
): Promise<void> {
  const volumes = Array.isArray(data.volumes) ? data.volumes.map(String) : [];
  const isWhole = !isIncomplete({ data });
  if (
    isWhole &&
    container !== undefined &&
    recordedAsActive(container) &&
    container.state.bootId === bootId()
  ) {
    await finishRestore(ctx, container, { keep: data.keep === true });
    await syncImported(ctx, subject, volumes);
    return;
  }
  if (container === undefined) await removeLeftFiles(ctx, subject);
  else {
    await deleteFromRuntime(ctx, container);
    await removeLocked(ctx, container, { volumes: false });
  }
  await removeVolumes(ctx, listOf(data.volumes));
}

/** An image that was on its way from another host, whose process died. */
async function repairImageWork(ctx: EngineContext, { data }: JournalEntry): Promise<void> {
  if (data.collect === true) await withImagesLock(ctx, 'recover', () => collectUnusedFiles(ctx));
}

const listOf = (value: unknown): string[] => (Array.isArray(value) ? value.map(String) : []);

async function repairRemove(
  ctx: EngineContext,
  { subject, data }: JournalEntry,
  container: Container | undefined,
): Promise<void> {
  if (container === undefined) await removeLeftFiles(ctx, subject);
  else await removeLocked(ctx, container, { volumes: data.volumes === true });
}
