import type { Container } from '../../model/container.ts';
import { updateState } from '../../state/containers.ts';
import { amendOperation, endOperation } from '../../state/journal.ts';
import { faultPoint } from '../../system/faults.ts';
import type { EngineContext } from '../context.ts';
import { killFrozen } from '../frozen.ts';
import { removeVolumes } from '../import.ts';
import { recordedAsActive } from '../observe.ts';
import { removeLocked } from '../remove.ts';
import { settleExit } from '../settle.ts';

export interface MovedEnd {
  /** Number of the journal entry. */
  readonly entry: number;
  /** Names the target. */
  readonly to: string;
  readonly keepSource: boolean;
}

/**
 * The container runs at the target: its frozen processes end here without having run again, and it is removed with its
 * volumes, as far as nobody else uses them; or it stays, stopped. Also what recovery runs; may be repeated.
 */
export async function endMoved(
  ctx: EngineContext,
  container: Container,
  { entry, to, keepSource }: MovedEnd,
): Promise<void> {
  const volumes = volumesOf(container);
  amendOperation(ctx.db, entry, { ending: { to, keepSource, volumes } });
  await killFrozen(ctx, container);
  faultPoint('migrate.ended');
  const record = {
    error: `moved to ${to}`,
    checkpointed: false,
    checkpointPath: undefined,
    handedOver: undefined,
  };
  const settled = recordedAsActive(container)
    ? await settleExit(ctx, container, { record })
    : updateState(ctx.db, container.config.id, record);
  if (!keepSource) {
    await removeLocked(ctx, settled, { volumes: true });
    await removeVolumes(ctx, volumes);
  }
  faultPoint('migrate.removed');
  endOperation(ctx.db, entry);
}

const volumesOf = ({ config }: Container): string[] =>
  config.mounts.filter(({ type }) => type === 'volume').map(({ source }) => source);
