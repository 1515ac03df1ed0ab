import { randomBytes } from 'node:crypto';
import { statSync } from 'node:fs';
import { mkdir, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { MEMBER, MEMBER_DIRECTORY } from '../archive/members.ts';
import type { ArchiveSource } from '../archive/types.ts';
import { layerDiffDirectory } from '../image/layers.ts';
import { type Container, type ContainerConfig, STOPPED_STATE } from '../model/container.ts';
import { fail } from '../model/errors.ts';
import type { PortMapping } from '../model/network.ts';
import { applyChanges, placeChanges } from '../rootfs/apply-changes.ts';
import { removeContainerFiles } from '../rootfs/overlay.ts';
import { fillVolume, placeVolume as placeTree } from '../rootfs/volume-archive.ts';
import { createVolumeDirectory, removeVolumeDirectory, volumeMountpoint } from '../rootfs/volumes.ts';
import { cgroupfsPath } from '../runtime/spec/resources.ts';
import {
  containerById,
  containerByName,
  deleteContainer,
  insertContainer,
  listContainers,
} from '../state/containers.ts';
import { amendOperation, beginOperation, endOperation } from '../state/journal.ts';
import { withLock } from '../state/locks.ts';
import { deleteVolume, putVolume, volumeByName } from '../state/volumes.ts';
import { cgroupExists } from '../system/cgroups.ts';
import { type Cleanup, undoOnFailure } from '../system/cleanup.ts';
import { monotonicMicroseconds, timestamp } from '../system/clock.ts';
import { syncFileSystem } from '../system/durable.ts';
import { faultPoint } from '../system/faults.ts';
import { logInfo, logWarning } from '../system/log.ts';
import { interruptible } from '../system/process.ts';
import { bundleDirectory, checkpointDirectory, containerDirectory } from '../system/store-paths.ts';
import { withScratch } from './checkpoint-view/scratch.ts';
import type { EngineContext } from './context.ts';
import { type ImportedArchive, placeImages, readArchive, readDeleted } from './import-archive.ts';
import { importedImage } from './import-image.ts';
import { removeIncomplete } from './incomplete.ts';
import { interruptedOr } from './interruption.ts';
import { requireLazy } from './lazy-pages.ts';
import { type ImportedVolume, planImport } from './plan/import.ts';
import type { Finding } from './plan/preflight/finding.ts';
import { importFindings, refuseImport } from './plan/preflight/import.ts';
import type { ArchiveView } from './plan/preflight/types.ts';
import type { RestoreOptions } from './plan/restore.ts';
import { addressFacts } from './preflight/addresses.ts';
import { importFacts } from './preflight/import-facts.ts';
import { finishRestore, type RestoreResult, type ThawOptions, thaw } from './restore.ts';

export interface ImportChoice extends RestoreOptions {
  /** A new name; the container then gets an ID, addresses and anonymous volumes of its own. */
  readonly name?: string | undefined;
  /** Instead of the archive's ports. */
  readonly publish?: readonly PortMapping[] | undefined;
  readonly ignoreRootfs: boolean;
  readonly ignoreVolumes: boolean;
  /** What the archive asks for of the host is granted. */
  readonly trust: boolean;
  /** Features that this CPU lacks are no obstacle. */
  readonly ignoreCpu: boolean;
}

/** What a caller has to say while an import goes on. */
export interface ImportHooks {
  /** More for the journal entry, from its beginning. */
  readonly journal: Readonly<Record<string, unknown>>;
  /** All that was made is on disk, and nothing runs. What it throws undoes the import. */
  readonly beforeThaw: (container: Container) => Promise<void>;
  /** Where memory comes from in a lazy restore, if not from the images. */
  readonly memory?: ImportedMemory | undefined;
  /** The processes run, and that is recorded: what it throws undoes nothing. */
  readonly afterThaw: (container: Container) => Promise<void>;
}

export interface ImportedMemory {
  readonly start: NonNullable<ThawOptions['startPages']>;
  /** The processes run: returns once all their memory is here. What it throws undoes the import; they do not run then. */
  readonly whole: (container: Container) => Promise<void>;
}

export interface ImportOptions extends ImportChoice {
  readonly source: ArchiveSource;
  /** Archive of the pre-checkpoint that it builds on (--import-previous). */
  readonly previous?: ArchiveSource | undefined;
}

/**
 * Makes a container of an archive and lets its processes go on. Nothing is created before the archive has been read to
 * its end and checked; whatever fails then, all that was created is removed again. Errors: those of readArchive and of
 * the preflight, RESTORE_FAILED.
 */
export async function importContainer(ctx: EngineContext, options: ImportOptions): Promise<RestoreResult> {
  const begun = monotonicMicroseconds();
  const imported = withScratch(ctx.store, async (directory) => {
    let choice: ImportChoice = options;
    const archive = await readArchive(ctx, directory, {
      ...options,
      onMetadata: async (view) => {
        choice = await settleAddresses(ctx, view, options);
        refuseImport(await findingsOf(ctx, view, choice));
      },
    });
    for (const dropped of archive.view.dropped ?? []) logWarning(`left out: ${dropped}`);
    const { id, ...figures } = await thawArchive(ctx, archive, choice);
    return { input: id, id, duration: monotonicMicroseconds() - begun, ...figures };
  });
  return await imported.catch((error: unknown) => {
    throw interruptedOr(ctx, error, 'nothing of the import is left');
  });
}

/**
 * Makes a container of an archive that was read and judged, and lets its processes go on. Whatever fails, all that was
 * created is removed again.
 */
export async function thawArchive(
  ctx: EngineContext,
  archive: ImportedArchive,
  choice: ImportChoice,
  hooks?: ImportHooks,
): Promise<Figures & { readonly id: string }> {
  const { directory, view, has } = archive;
  const image = await importedImage(ctx, view.config, { directory, inArchive: has(MEMBER.image) });
  faultPoint('import.read');
  const plan = planImport(view.config, {
    name: choice.name,
    publish: choice.publish,
    layers: image.layers,
    cgroupManager: ctx.cgroupManager,
    cgroupOf: (id) =>
      cgroupExists(cgroupfsPath(id)) ? `${id}-${randomBytes(4).toString('hex')}` : undefined,
    logPathOf: (id) => join(bundleDirectory(ctx.store, id), 'ctr.log'),
    newId: () => randomBytes(32).toString('hex'),
  });
  if (choice.lazy === true) await requireLazy(ctx, plan.config);
  const { id } = plan.config;
  ctx.signal.throwIfAborted();
  const figures = await withLock(
    ctx.db,
    `container ${id}`,
    'import',
    () => createAndThaw(ctx, archive, plan, { ...choice, hooks }),
    ctx.lockTimeout,
    ctx.signal,
  );
  return { id, ...figures };
}

/** What would become of an import: reads the archive, creates nothing. Errors: those of readArchive. */
export async function importPreflight(
  ctx: EngineContext,
  options: ImportOptions,
): Promise<readonly Finding[]> {
  return await withScratch(ctx.store, async (directory) => {
    const archive = await readArchive(ctx, directory, { ...options, onMetadata: async () => undefined });
    return await findingsOf(ctx, archive.view, await settleAddresses(ctx, archive.view, options));
  });
}

export const findingsOf = async (
  ctx: EngineContext,
  view: ArchiveView,
  options: ImportChoice,
): Promise<readonly Finding[]> => importFindings(await importFacts(ctx, view, options), options);

/**
 * A dynamic address that cannot be had here is no reason to refuse: the container gets another one, unless connections
 * depend on it.
 */
export async function settleAddresses(
  ctx: EngineContext,
  view: ArchiveView,
  options: ImportChoice,
): Promise<ImportChoice> {
  const isStatic = view.config.network.networks.some(({ staticIps }) => staticIps.length > 0);
  if (options.ignoreStaticIp || options.tcpEstablished || isStatic) return options;
  const { addressProblems } = await addressFacts(ctx, view, options, listContainers(ctx.db));
  const [problem] = addressProblems;
  if (problem === undefined) return options;
  logInfo(`a new address is taken: ${problem.message}`);
  return { ...options, ignoreStaticIp: true };
}

type Plan = ReturnType<typeof planImport>;
type Figures = Pick<RestoreResult, 'runtimeDuration' | 'statistics'>;

async function createAndThaw(
  ctx: EngineContext,
  archive: ImportedArchive,
  { config, volumes }: Plan,
  { hooks, ...options }: ImportChoice & { readonly hooks: ImportHooks | undefined },
): Promise<Figures> {
  const { id } = config;
  if (containerById(ctx.db, id) !== undefined || containerByName(ctx.db, config.name) !== undefined) {
    fail('NAME_IN_USE', { message: `container ${config.name} or ID ${id} exists already: name is in use` });
  }
  const entry = beginOperation(ctx.db, 'import', id, {
    keep: options.keep,
    volumes: [],
    ...hooks?.journal,
  });
  faultPoint('import.journalled');
  return await undoOnFailure(async (cleanup) => {
    cleanup.add('settle the import', () => endOperation(ctx.db, entry));
    const made: string[] = [];
    cleanup.add('remove the volumes', () => removeVolumes(ctx, made));
    const noteVolume = (name: string): void => {
      made.push(name);
      amendOperation(ctx.db, entry, { volumes: made });
    };
    const container = await interruptible(ctx.signal, async () => {
      await placeVolumes(ctx, archive, volumes, noteVolume);
      return await createRecord(ctx, archive, config, cleanup, options);
    });
    faultPoint('import.created');
    ctx.signal.throwIfAborted();
    if (hooks !== undefined) {
      await syncImported(ctx, id, made);
      await hooks.beforeThaw(container);
    }
    // --name: the addresses are another container's.
    const thawed = await thaw(ctx, container, {
      ...options,
      ignoreStaticIp: options.ignoreStaticIp || options.name !== undefined,
      ignoreStaticMac: options.ignoreStaticMac || options.name !== undefined,
      startPages: hooks?.memory?.start,
    });
    if (hooks?.memory !== undefined) {
      cleanup.add(`remove ${config.name}`, () => removeIncomplete(ctx, thawed.container));
      await hooks.memory.whole(thawed.container);
      amendOperation(ctx.db, entry, { whole: true });
    }
    // Its processes run: what fails now is completed by recovery, and must not take the files from under them.
    cleanup.keep();
    await hooks?.afterThaw(thawed.container);
    await finishRestore(ctx, thawed.container, options);
    // Nothing was synced before, so that the processes run early; a power cut until here undoes the import.
    await syncImported(ctx, id, made);
    endOperation(ctx.db, entry);
    return thawed.figures;
  });
}

/** Puts all that an import made on disk; volumes may lie on file systems of their own. Also what recovery runs. */
export async function syncImported(
  ctx: EngineContext,
  id: string,
  volumes: readonly string[],
): Promise<void> {
  const places = [
    containerDirectory(ctx.store, id),
    ...volumes.map((name) => volumeMountpoint(ctx.store, name)),
  ];
  const byDevice = new Map(places.map((path) => [statSync(path).dev, path]));
  for (const path of byDevice.values()) await syncFileSystem(path);
}

/** Volumes that are there already are used as they are: the preflight has refused them where content was to come. */
async function placeVolumes(
  ctx: EngineContext,
  archive: ImportedArchive,
  volumes: readonly ImportedVolume[],
  note: (name: string) => void,
): Promise<void> {
  for (const volume of volumes) {
    // Of two imports that bring the same volume, one makes it; the other must not take it for its own and remove it.
    await withLock(
      ctx.db,
      `volume ${volume.name}`,
      'import',
      () => placeVolume(ctx, archive, volume, note),
      ctx.lockTimeout,
      ctx.signal,
    );
  }
}

async function placeVolume(
  ctx: EngineContext,
  { has, read, rounds }: ImportedArchive,
  { name, member, anonymous }: ImportedVolume,
  note: (name: string) => void,
): Promise<void> {
  const path = `${MEMBER_DIRECTORY.volumes}/${member}.tar`;
  const tree = rounds?.trees.get(path);
  const isBrought = tree !== undefined || has(path);
  if (volumeByName(ctx.db, name) !== undefined) {
    if (!isBrought) return;
    fail('NAME_IN_USE', {
      message: `volume with name ${name} already exists. Use --ignore-volumes to not restore content of volumes`,
    });
  }
  note(name);
  const mountpoint = await createVolumeDirectory(ctx.store, name);
  if (tree !== undefined) await placeTree(ctx.store, name, tree);
  else if (isBrought) await read(path, (fd) => fillVolume(ctx.store, name, fd, { sync: false }));
  putVolume(ctx.db, {
    name,
    driver: 'local',
    mountpoint,
    created: timestamp(),
    labels: {},
    options: {},
    anonymous,
    copiedUp: isBrought,
  });
}

/** What an import made goes again, unless another container has come to use it. Also what recovery runs. Idempotent. */
export async function removeVolumes(ctx: EngineContext, names: readonly string[]): Promise<void> {
  const used = new Set(
    listContainers(ctx.db).flatMap(({ config }) => config.mounts.map(({ source }) => source)),
  );
  for (const name of names.filter((made) => !used.has(made))) {
    await removeVolumeDirectory(ctx.store, name);
    deleteVolume(ctx.db, name);
  }
}

/** Files first, then the record of a stopped container with a local checkpoint, from which it is thawed. */
async function createRecord(
  ctx: EngineContext,
  archive: ImportedArchive,
  config: ContainerConfig,
  cleanup: Cleanup,
  options: ImportChoice,
): Promise<Container> {
  const { directory, has } = archive;
  const { id } = config;
  cleanup.add(`remove the files of ${id}`, () => removeContainerFiles(ctx.store, id));
  await mkdir(bundleDirectory(ctx.store, id), { recursive: true, mode: 0o700 });
  await placeRootfs(ctx, config, archive);
  await placeImages(ctx, id, archive, { keepAddresses: options.name === undefined, sync: false });
  if (has(MEMBER.log) && config.logPath !== '') await rename(join(directory, MEMBER.log), config.logPath);
  const container: Container = {
    config,
    state: {
      ...STOPPED_STATE,
      status: 'exited',
      checkpointed: true,
      checkpointedAt: timestamp(),
      checkpointPath: checkpointDirectory(ctx.store, id),
    },
  };
  insertContainer(ctx.db, container);
  cleanup.add(`remove the record of ${id}`, () => deleteContainer(ctx.db, id));
  return container;
}

async function placeRootfs(
  ctx: EngineContext,
  { id, layers }: ContainerConfig,
  { directory, has, read, rounds }: ImportedArchive,
): Promise<void> {
  const tree = rounds?.trees.get(MEMBER.rootfsDiff);
  if (tree === undefined && !has(MEMBER.rootfsDiff)) return;
  const choice = { deleted: await readDeleted(directory), sync: false };
  const diffs = layers.map((layer) => layerDiffDirectory(ctx.store, layer));
  if (tree !== undefined) await placeChanges(ctx.store, id, diffs, tree, choice);
  else await read(MEMBER.rootfsDiff, (fd) => applyChanges(ctx.store, id, diffs, fd, choice));
}
