import type { Container } from '../model/container.ts';
import { CryopodError, type ErrorCode, errnoOf, isCryopodError, messageOf } from '../model/errors.ts';
import { openRuntime } from '../runtime/runtime.ts';
import type { OciRuntime } from '../runtime/types.ts';
import { endOperation } from '../state/journal.ts';
import { undoOnFailure } from '../system/cleanup.ts';
import { faultPoint } from '../system/faults.ts';
import type { EngineContext } from './context.ts';
import { takeEnd } from './exit-command.ts';
import { goOnRunning } from './go-on.ts';
import { holdForFreeze } from './hold-connections.ts';
import { interruptedOr } from './interruption.ts';
import { processLives } from './observe.ts';

const SIGKILL = 9;

const runtimeOf = (ctx: EngineContext, { config }: Container): OciRuntime =>
  openRuntime(ctx.store, config.runtime, { cgroupManager: config.cgroupManager });

/** The freezer holds the container's processes. */
export const isFrozen = async (ctx: EngineContext, container: Container): Promise<boolean> =>
  processLives(container) &&
  (await runtimeOf(ctx, container).state(container.config.id))?.status === 'paused';

/**
 * Freezes the container with its packets held back, runs `work`, and lets it go on when it is to go on or `work` has
 * failed. CRIU leaves a frozen container frozen.
 */
export async function whileFrozen<T>(
  ctx: EngineContext,
  container: Container,
  { leaveRunning, tcpEstablished }: { readonly leaveRunning: boolean; readonly tcpEstablished: boolean },
  work: () => Promise<T>,
): Promise<T> {
  const { config } = container;
  const runtime = runtimeOf(ctx, container);
  const freeze = (): Promise<void> => runtime.pause(config.id);
  return await undoOnFailure(async (cleanup) => {
    cleanup.add(`let ${config.name} go on`, async () => {
      if (processLives(container)) await goOnRunning(ctx, container);
    });
    if (!(await holdForFreeze(ctx, container, { leaveRunning, tcpEstablished, freeze }))) await freeze();
    faultPoint('export.frozen');
    ctx.signal.throwIfAborted();
    const result = await work();
    if (leaveRunning) await runtime.resume(config.id);
    return result;
  });
}

/** Settles a failed operation's journal entry; what could not be thawed is left to recovery. */
export async function endUnlessFrozen(
  ctx: EngineContext,
  container: Container,
  entry: number,
): Promise<void> {
  if (!(await isFrozen(ctx, container))) endOperation(ctx.db, entry);
}

/** Ends the processes of a frozen container without letting them run again; the caller settles their end. May be repeated. */
export async function killFrozen(ctx: EngineContext, container: Container): Promise<void> {
  if (!processLives(container)) return;
  const { id } = container.config;
  const runtime = runtimeOf(ctx, container);
  await takeEnd(ctx, id);
  await runtime.kill(id, SIGKILL, { all: true });
  // With the freezer of cgroup v1 they meet the signal when they are thawed.
  if ((await runtime.state(id))?.status === 'paused') await runtime.resume(id);
}

/** Errors of a dump that left the processes alive tell what became of the container. */
export function goesOn(
  ctx: EngineContext,
  container: Container,
  error: unknown,
  failed: ErrorCode = 'ARCHIVE_FAILED',
): unknown {
  if (!processLives(container)) return error;
  const fate = `${container.config.name} goes on running`;
  if (ctx.signal.aborted) return interruptedOr(ctx, error, fate);
  return messageOf(error).includes('goes on running') ? error : told(error, fate, failed);
}

/** The same error with what became of the container; one of the system, which is no defect, gets a code: `failed`. */
export function told(error: unknown, fate: string, failed: ErrorCode = 'ARCHIVE_FAILED'): unknown {
  const errno = errnoOf(error);
  if (!isCryopodError(error) && errno === undefined) return error;
  const code = errno === 'ENOSPC' ? 'NO_SPACE' : failed;
  const known = isCryopodError(error) ? error : new CryopodError(code, { message: messageOf(error) });
  const more = new CryopodError(known.code, {
    message: `${known.message}; ${fate}`,
    hint: known.hint,
    cause: known.cause ?? error,
    log: known.log,
  });
  more.cleanupErrors.push(...known.cleanupErrors);
  return more;
}
