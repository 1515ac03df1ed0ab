import { existsSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { requireCriu } from '../../criu/probe.ts';
import type { NamedCheckpoint } from '../../model/checkpoint.ts';
import type { Container } from '../../model/container.ts';
import { openRuntime } from '../../runtime/runtime.ts';
import { checkpointByName } from '../../state/checkpoints.ts';
import { updateState } from '../../state/containers.ts';
import { beginOperation, endOperation } from '../../state/journal.ts';
import { undoOnFailure } from '../../system/cleanup.ts';
import { monotonicMicroseconds } from '../../system/clock.ts';
import { faultPoint } from '../../system/faults.ts';
import { checkpointDirectory } from '../../system/store-paths.ts';
import { holdsImages } from '../checkpoint-files.ts';
import { codedFailure } from '../coded-failure.ts';
import type { EngineContext } from '../context.ts';
import { criuProbe } from '../criu-probe.ts';
import { lazyAbility } from '../lazy-pages.ts';
import { readNetworkStatus } from '../network/status-file.ts';
import { type GoBackFacts, goBackFindings } from '../plan/go-back.ts';
import { type Finding, refuseObstacles } from '../plan/preflight/finding.ts';
import type { RestoreOptions } from '../plan/restore.ts';
import { release } from '../release.ts';
import { finishRestore, type RestoreResult, thaw } from '../restore.ts';
import { volumeUsers } from '../volume/usage.ts';
import { withContainer } from '../with-container.ts';
import { dropAside, putBack, setAside } from './aside.ts';
import { findDamage } from './damage.ts';
import { entryDirectory, imagesOf, volumeTrees } from './entry.ts';
import { type CheckpointReference, requireStored } from './find.ts';
import { placeEntry } from './place.ts';

export interface GoBackOptions extends RestoreOptions {
  /** Volumes stay as they are. */
  readonly ignoreVolumes: boolean;
}

/**
 * Brings a stopped container back to a checkpoint of its history: memory, changed files and volumes become those of that
 * moment, and its processes go on from there. What is replaced is set aside until they run; whatever fails before, all is
 * as it was. The history stays. Errors: CONTAINER_STATE, RESTORE_REFUSED, NO_SUCH_OBJECT before anything is touched;
 * RESTORE_FAILED.
 */
export async function goBack(
  ctx: EngineContext,
  reference: CheckpointReference,
  options: GoBackOptions,
): Promise<RestoreResult> {
  const begun = monotonicMicroseconds();
  return await withContainer(ctx, reference.container.config.id, 'restore', async (container) => {
    const { config } = container;
    const { id } = config;
    const record = requireStored(ctx, reference);
    refuseObstacles(goBackFindings(container, options, await goBackFacts(ctx, container, record, options)));
    requireCriu(await criuProbe(ctx));
    const volumes = await volumesOf(ctx, container, record, options);
    const hadCheckpoint = existsSync(checkpointDirectory(ctx.store, id));
    const operation = beginOperation(ctx.db, 'go back', id, {
      tag: record.name,
      keep: options.keep,
      volumes,
      hadCheckpoint,
    });
    const work = replaceAndThaw(ctx, container, record, { operation, volumes, hadCheckpoint, options });
    const thawed = await codedFailure(work, 'RESTORE_FAILED', `bring ${config.name} back to ${record.name}`);
    endOperation(ctx.db, operation);
    return { input: reference.text, id, duration: monotonicMicroseconds() - begun, ...thawed.figures };
  });
}

/** Whether going back would work, without doing it. Errors: NO_SUCH_OBJECT. */
export async function goBackPreflight(
  ctx: EngineContext,
  reference: CheckpointReference,
  options: GoBackOptions,
): Promise<readonly Finding[]> {
  const { container } = reference;
  const facts = await goBackFacts(ctx, container, requireStored(ctx, reference), options);
  return goBackFindings(container, options, facts);
}

async function goBackFacts(
  ctx: EngineContext,
  { config, state }: Container,
  record: NamedCheckpoint,
  { ignoreVolumes, lazy }: GoBackOptions,
): Promise<GoBackFacts> {
  const { id, runtime: name, cgroupManager } = config;
  const runtime = openRuntime(ctx.store, name, { cgroupManager });
  const users = volumeUsers(ctx);
  const mounted = new Set(config.mounts.filter(({ type }) => type === 'volume').map(({ source }) => source));
  const tag = state.checkpointTag;
  const hasCheckpoint = holdsImages(checkpointDirectory(ctx.store, id));
  return {
    name: record.name,
    isRoot: process.geteuid?.() === 0,
    runtime: await runtime.canCheckpoint(),
    lazy: lazy === true ? await lazyAbility(ctx, runtime) : undefined,
    damage: await findDamage(ctx, record),
    wouldLose: hasCheckpoint && (tag === undefined || checkpointByName(ctx.db, id, tag) === undefined),
    sharedVolumes: ignoreVolumes
      ? []
      : [...mounted].flatMap((volume) => {
          const other = users.get(volume)?.find((user) => user.config.id !== id);
          return other === undefined ? [] : [{ volume, user: other.config.name }];
        }),
  };
}

/** The volumes that the checkpoint holds and the container has. */
async function volumesOf(
  ctx: EngineContext,
  { config }: Container,
  { container, name }: NamedCheckpoint,
  { ignoreVolumes }: GoBackOptions,
): Promise<string[]> {
  const trees = volumeTrees(entryDirectory(ctx.store, container, name));
  if (ignoreVolumes || !existsSync(trees)) return [];
  const held = new Set(await readdir(trees));
  const mounted = config.mounts.filter(({ type, source }) => type === 'volume' && held.has(source));
  return [...new Set(mounted.map(({ source }) => source))];
}

interface Work {
  readonly operation: number;
  readonly volumes: readonly string[];
  readonly hadCheckpoint: boolean;
  readonly options: GoBackOptions;
}

async function replaceAndThaw(
  ctx: EngineContext,
  container: Container,
  record: NamedCheckpoint,
  { operation, volumes, hadCheckpoint, options }: Work,
): Promise<Awaited<ReturnType<typeof thaw>>> {
  const { id } = container.config;
  return await undoOnFailure(async (cleanup) => {
    cleanup.add('put back what was set aside', async () => {
      // What cannot be put back now is left to recovery.
      await putBack(ctx, id, { volumes, hadCheckpoint });
      endOperation(ctx.db, operation);
    });
    faultPoint('back.journalled');
    const settled = await withAddressOf(ctx, container, record);
    await setAside(ctx, id, volumes);
    faultPoint('back.aside');
    await placeEntry(ctx, settled, record, volumes);
    faultPoint('back.placed');
    const thawed = await thaw(ctx, settled, options);
    // Its processes run: what fails now is completed by recovery, and must not take the files from under them.
    cleanup.keep();
    faultPoint('back.running');
    await finishGoBack(ctx, thawed.container, record.name, { volumes, keep: options.keep });
    return thawed;
  });
}

/** The processes run: what they replaced goes. Also what recovery runs; may be repeated. */
export async function finishGoBack(
  ctx: EngineContext,
  container: Container,
  tag: string,
  { volumes, keep }: { readonly volumes: readonly string[]; readonly keep: boolean },
): Promise<void> {
  const { id } = container.config;
  const checkpointPath = checkpointDirectory(ctx.store, id);
  updateState(ctx.db, id, { checkpointTag: tag, checkpointPath });
  await finishRestore(ctx, container, { keep });
  await dropAside(ctx, id, volumes);
}

/** An address that was kept for another checkpoint is given up where the processes of this one know another. */
async function withAddressOf(
  ctx: EngineContext,
  container: Container,
  { name }: NamedCheckpoint,
): Promise<Container> {
  const { config, state } = container;
  if (!state.networkHeld) return container;
  const known = await readNetworkStatus(imagesOf(entryDirectory(ctx.store, config.id, name)));
  if (JSON.stringify(known) === JSON.stringify(state.networks)) return container;
  return updateState(ctx.db, config.id, await release(ctx, container));
}
