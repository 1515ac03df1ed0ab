import { mkdir, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { dumpStatsIfAny } from '../../criu/stats.ts';
import { checkTag, isStored, type NamedCheckpoint } from '../../model/checkpoint.ts';
import type { Container } from '../../model/container.ts';
import { abandonConnections } from '../../network/abandon.ts';
import { checkpointByName } from '../../state/checkpoints.ts';
import { amendOperation, beginOperation, endOperation } from '../../state/journal.ts';
import { undoOnFailure } from '../../system/cleanup.ts';
import { monotonicMicroseconds, timestamp } from '../../system/clock.ts';
import { syncPath, tempBeside } from '../../system/durable.ts';
import { faultPoint } from '../../system/faults.ts';
import { historyDirectory } from '../../system/store-paths.ts';
import { dumpLogPath } from '../bundle-files.ts';
import { type CheckpointResult, finishCheckpoint } from '../checkpoint.ts';
import { checkpointFacts } from '../checkpoint-facts.ts';
import type { EngineContext } from '../context.ts';
import { withLinkRemaps } from '../export-links.ts';
import { endUnlessFrozen, goesOn, killFrozen, told, whileFrozen } from '../frozen.ts';
import { untilPagesAreIn } from '../lazy-pages.ts';
import { noteConnections } from '../network/connections-file.ts';
import { processLives } from '../observe.ts';
import { refuseCheckpoint } from '../plan/checkpoint.ts';
import { refuseObstacles } from '../plan/preflight/finding.ts';
import { withContainer } from '../with-container.ts';
import { checkoutCheckpoint, checkoutTemp } from './checkout.ts';
import { entryDirectory } from './entry.ts';
import { usableParent } from './parent.ts';
import { storeEntry } from './store.ts';
import { nameFinding, type TagChoice, tagFindings } from './tag-findings.ts';
import { takeFrozen, takeKnown } from './take.ts';

export interface TagOptions extends TagChoice {
  /** Made by a schedule. */
  readonly automatic?: boolean | undefined;
}

/**
 * Adds a checkpoint under a name to a container's history. The container stands still only while its memory and files are
 * copied; with `leaveRunning` it goes on before they are compared with the checkpoint before. Without, it ends once the
 * new checkpoint is complete and recorded, and can be restored as after any checkpoint. Whatever fails before, it goes on
 * running and its history is as it was. Errors: those of checkpointContainer, NAME_IN_USE for a name that it has.
 */
export async function tagCheckpoint(
  ctx: EngineContext,
  nameOrId: string,
  options: TagOptions,
): Promise<CheckpointResult> {
  const begun = monotonicMicroseconds();
  checkTag(options.tag);
  await untilPagesAreIn(ctx, nameOrId);
  return await withContainer(ctx, nameOrId, 'checkpoint', async (container) => {
    const { id } = container.config;
    const { tag, leaveRunning } = options;
    const facts = await checkpointFacts(ctx, container);
    refuseObstacles([nameFinding(ctx, container, tag)]);
    refuseCheckpoint(container, options, facts);
    refuseObstacles(await tagFindings(ctx, container, options, facts));
    const parent = await usableParent(ctx, id);
    const temp = tempBeside(entryDirectory(ctx.store, id, tag));
    const operation = beginOperation(ctx.db, 'tag', id, { tag, temp: basename(temp), leaveRunning });
    const figures = await takeEntry(ctx, container, options, { parent, temp, operation });
    if (!leaveRunning) await endTagged(ctx, container, options, operation);
    endOperation(ctx.db, operation);
    return { input: nameOrId, id, duration: monotonicMicroseconds() - begun, ...figures };
  });
}

type Figures = Pick<CheckpointResult, 'runtimeDuration' | 'statistics'>;

interface Attempt {
  readonly parent: NamedCheckpoint | undefined;
  readonly temp: string;
  /** Number of the journal entry. */
  readonly operation: number;
}

/** From the running container to the recorded entry. On failure the container goes on and nothing is left. */
async function takeEntry(
  ctx: EngineContext,
  container: Container,
  options: TagOptions,
  { parent, temp, operation }: Attempt,
): Promise<Figures> {
  const { id } = container.config;
  const images = join(temp, 'whole');
  try {
    return await undoOnFailure(async (cleanup) => {
      cleanup.add('remove what was copied', async () => {
        // What cannot be removed now is left to recovery.
        await removeUnrecorded(ctx, id, options.tag, temp);
        await endUnlessFrozen(ctx, container, operation);
      });
      faultPoint('history.journalled');
      await makeHistory(ctx, id);
      await mkdir(temp, { mode: 0o700 });
      await takeKnown(ctx, container, temp);
      const store = (created: string, logBytes: number): Promise<void> => {
        const { tag, automatic = false } = options;
        return storeEntry(ctx, {
          ...{ container: id, name: tag, created, automatic, parent, logBytes, temp, images },
        });
      };
      const { leaveRunning } = options;
      const taken = await whileFrozen(ctx, container, options, () =>
        withLinkRemaps(ctx, container, { images, entry: operation, leaveRunning }, async (makeLinks) => {
          const created = timestamp();
          if (!leaveRunning) await noteConnections(ctx.store, container.config, container.state.pid);
          const { runtimeDuration, logBytes } = await takeFrozen(ctx, container, options, {
            entry: temp,
            images,
            makeLinks,
          });
          faultPoint('history.copied');
          const statistics = await dumpStatsIfAny(join(temp, 'stats-dump'));
          if (!options.keep) await rm(dumpLogPath(ctx.store, id), { force: true });
          // A container that is to end must not run again once its checkpoint is complete.
          if (!leaveRunning) await store(created, logBytes);
          return { created, logBytes, figures: { runtimeDuration, statistics } };
        }),
      );
      if (leaveRunning) await store(taken.created, taken.logBytes);
      return taken.figures;
    });
  } catch (error) {
    throw goesOn(ctx, container, error, 'CHECKPOINT_FAILED');
  }
}

async function makeHistory(ctx: EngineContext, id: string): Promise<void> {
  const directory = historyDirectory(ctx.store, id);
  await mkdir(directory, { recursive: true, mode: 0o700 });
  await syncPath(dirname(directory));
}

/** What a checkpoint that did not come to be recorded has left. Also what recovery runs. Idempotent. */
export async function removeUnrecorded(
  ctx: EngineContext,
  id: string,
  tag: string,
  temp: string,
): Promise<void> {
  await rm(temp, { recursive: true, force: true });
  const record = checkpointByName(ctx.db, id, tag);
  if (record !== undefined && isStored(record)) return;
  await rm(entryDirectory(ctx.store, id, tag), { recursive: true, force: true });
}

/** From here on recovery ends the container too: a process that has met its signal cannot go on. */
async function endTagged(
  ctx: EngineContext,
  container: Container,
  options: TagOptions,
  operation: number,
): Promise<void> {
  const { name } = container.config;
  try {
    amendOperation(ctx.db, operation, { ending: true });
    await endAtTag(ctx, container, options);
  } catch (error) {
    throw told(
      error,
      `the checkpoint ${options.tag} is complete, and ${name} was to end; the next command of cryopod completes that`,
      'CHECKPOINT_FAILED',
    );
  }
}

/**
 * The frozen processes end without having run again, and the newest named checkpoint becomes the container's own, from
 * which a restore without a name goes on. Also what recovery runs; may be repeated.
 */
export async function endAtTag(
  ctx: EngineContext,
  container: Container,
  { tag, keep }: Pick<TagOptions, 'tag' | 'keep'>,
): Promise<void> {
  const { id } = container.config;
  const images = checkoutTemp(ctx.store, id);
  // They would stay in the namespace without their processes, in the way of a restore.
  if (processLives(container)) await abandonConnections(container.state.pid);
  await killFrozen(ctx, container);
  faultPoint('history.ended');
  await checkoutCheckpoint(entryDirectory(ctx.store, id, tag), images);
  await finishCheckpoint(ctx, container, { images }, { leaveRunning: false, keep, tag });
}
