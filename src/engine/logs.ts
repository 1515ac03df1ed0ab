import { fail } from '../model/errors.ts';
import { readLogs } from '../runtime/logs.ts';
import type { LogLine } from '../runtime/types.ts';
import { findContainer, lookupContainer } from '../state/containers.ts';
import type { EngineContext } from './context.ts';
import { observe, recordedAsActive } from './observe.ts';

export interface LogOptions {
  /** Goes on until the container has ended. */
  readonly follow: boolean;
  /** Lines from the end; undefined for all. */
  readonly tail?: number | undefined;
  /** Milliseconds since 1970. */
  readonly since?: number | undefined;
  readonly until?: number | undefined;
}

export interface ContainerLog {
  readonly id: string;
  readonly name: string;
  readonly lines: AsyncIterable<LogLine>;
}

/** What a container wrote, oldest first. Errors: NO_SUCH_CONTAINER, AMBIGUOUS_ID, USAGE for a container without a log. */
export function containerLog(ctx: EngineContext, nameOrId: string, options: LogOptions): ContainerLog {
  const { id, name, logDriver, logPath } = findContainer(ctx.db, nameOrId).config;
  if (logDriver === 'none') {
    fail('USAGE', {
      message:
        "this container is using the 'none' log driver, cannot read logs: this container is not logging output",
    });
  }
  const { until } = options;
  const ended = (): boolean => {
    if (until !== undefined && Date.now() > until) return true;
    const container = lookupContainer(ctx.db, id);
    return container === undefined || !recordedAsActive(observe(ctx, container));
  };
  return { id, name, lines: readLogs(logPath, { ...options, ended, signal: ctx.signal }) };
}
