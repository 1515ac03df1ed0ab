import type { Container } from '../model/container.ts';
import { attach } from '../runtime/attach.ts';
import type { Attachment } from '../runtime/types.ts';
import { cleanupContainer } from './cleanup.ts';
import type { EngineContext } from './context.ts';
import { startContainer } from './start.ts';
import { waitContainer } from './wait.ts';

export interface ForegroundOptions {
  /** Forward stdin to the container. */
  readonly stdin: boolean;
  /** As podman's --detach-keys; undefined for ctrl-p,ctrl-q. */
  readonly detachKeys?: string | undefined;
  /** Told once the command runs: the moment to pass signals on. */
  readonly onStarted?: (container: Container) => void;
}

/**
 * Starts a container with the caller's terminal on it and waits until it has ended or the user has detached. Gives its
 * exit status, or undefined after a detach. A container made with --rm is gone when this returns. Errors: those of start.
 */
export async function runInForeground(
  ctx: EngineContext,
  nameOrId: string,
  { stdin, detachKeys, onStarted }: ForegroundOptions,
): Promise<number | undefined> {
  let attachment: Attachment | undefined;
  try {
    const container = await startContainer(ctx, nameOrId, {
      beforeStart: async ({ config }) => {
        attachment = await attach({ store: ctx.store, id: config.id, tty: config.tty, stdin, detachKeys });
      },
    });
    onStarted?.(container);
    if ((await attachment?.done) === 'detached') return undefined;
    const exitCode = await waitContainer(ctx, container.config.id);
    await cleanupContainer(ctx, container.config.id);
    return exitCode;
  } finally {
    attachment?.close();
  }
}
