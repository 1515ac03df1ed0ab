import type { EngineContext } from '../../engine/context.ts';
import { killContainer } from '../../engine/kill.ts';
import type { Container } from '../../model/container.ts';
import { isCryopodError } from '../../model/errors.ts';
import { parseSignal } from '../../model/signals.ts';
import type { CliContext } from '../context.ts';

/** Ctrl-C and its like are the container's business while it runs in the foreground. */
export function proxySignals(ctx: CliContext, engine: EngineContext, { config }: Container): void {
  ctx.takeSignals((name) => {
    killContainer(engine, config.id, parseSignal(name)).catch((error: unknown) => {
      // It has ended meanwhile: there is no one left to tell.
      if (!isCryopodError(error, 'CONTAINER_STATE')) ctx.complain(error);
    });
  });
}
