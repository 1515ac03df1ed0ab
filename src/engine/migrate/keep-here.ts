import { existsSync, readdirSync } from 'node:fs';
import { mkdir, rm } from 'node:fs/promises';
import { basename } from 'node:path';
import type { Container, ContainerState, HandedOver } from '../../model/container.ts';
import { shmDirectory } from '../../rootfs/shm.ts';
import { saveShm } from '../../rootfs/shm-archive.ts';
import { updateState } from '../../state/containers.ts';
import { amendOperation, endOperation } from '../../state/journal.ts';
import { timestamp } from '../../system/clock.ts';
import { syncFileSystem, tempBeside } from '../../system/durable.ts';
import { faultPoint } from '../../system/faults.ts';
import { checkpointDirectory } from '../../system/store-paths.ts';
import { shmArchivePath } from '../bundle-files.ts';
import { volumeDirectories } from '../checkpoint.ts';
import { replaceCheckpoint } from '../checkpoint-files.ts';
import type { EngineContext } from '../context.ts';
import { dumpPages } from '../dump.ts';
import { withLinkRemaps } from '../export-links.ts';
import { killFrozen } from '../frozen.ts';
import { uninterrupted } from '../interruption.ts';
import { writeNetworkStatus } from '../network/status-file.ts';
import { processLives, recordedAsActive } from '../observe.ts';
import { settleExit } from '../settle.ts';

export interface Keeping {
  /** Number of the journal entry. */
  readonly entry: number;
  /** Where it may run instead; undefined where it is sure that it does not. */
  readonly doubt: HandedOver | undefined;
  /** What the processes hold. */
  readonly options: Pick<HandedOver, 'tcpEstablished' | 'fileLocks'>;
  /** Of recovery: the checkpoint was made already. */
  readonly made?: boolean;
}

/**
 * Makes the local checkpoint of a frozen container that must not go on from memory: it may run elsewhere, or has. Its
 * processes end once that is on disk. Also what recovery runs; may be repeated. Errors: CHECKPOINT_FAILED, NO_SPACE; then
 * it stays frozen.
 */
export async function keepHere(
  interruptible: EngineContext,
  container: Container,
  { entry, doubt, options, made = false }: Keeping,
): Promise<void> {
  // What was interrupted is the move, and that is over.
  const ctx = uninterrupted(interruptible);
  const { id } = container.config;
  const isHere = made || processLives(container);
  if (!made && isHere) {
    await checkpointFrozen(ctx, container, { entry, options });
    amendOperation(ctx.db, entry, { made: true });
  }
  faultPoint('migrate.kept-here');
  await killFrozen(ctx, container);
  const record = {
    ...(isHere ? checkpointRecord(checkpointDirectory(ctx.store, id)) : {}),
    handedOver: doubt,
    error:
      doubt === undefined
        ? undefined
        : `handed over to ${doubt.to}, which has not said whether it runs there`,
  };
  if (recordedAsActive(container)) await settleExit(ctx, container, { record });
  else updateState(ctx.db, id, record);
  endOperation(ctx.db, entry);
}

const checkpointRecord = (path: string): Partial<ContainerState> => ({
  checkpointed: true,
  checkpointedAt: timestamp(),
  checkpointPath: path,
  // An older archive must never stand in for this one.
  exportPath: undefined,
  exportPrevious: undefined,
  exitCode: 0,
});

async function checkpointFrozen(
  ctx: EngineContext,
  container: Container,
  { entry, options }: Pick<Keeping, 'entry' | 'options'>,
): Promise<void> {
  const { config, state } = container;
  const path = checkpointDirectory(ctx.store, config.id);
  const images = tempBeside(path);
  amendOperation(ctx.db, entry, { images: basename(images) });
  await mkdir(images, { mode: 0o700 });
  try {
    await writeNetworkStatus(images, state.networks);
    const shm = shmDirectory(ctx.store, config.id);
    if (existsSync(shm) && readdirSync(shm).length > 0) {
      await saveShm(ctx.store, config.id, shmArchivePath(images));
    }
    // The names stay, for the restore.
    await withLinkRemaps(ctx, container, { images, entry, leaveRunning: false }, async (makeLinks) => {
      await dumpPages(ctx, container, images, options);
      await makeLinks();
      await syncFileSystem(images, ...volumeDirectories(ctx, container));
      await replaceCheckpoint(images, path);
    });
  } finally {
    await rm(images, { recursive: true, force: true });
  }
}
