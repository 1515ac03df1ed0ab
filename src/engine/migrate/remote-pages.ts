import type { PageRange } from '../../criu/pages/protocol.ts';
import { type ReadAhead, readAhead } from '../../criu/pages/read-ahead.ts';
import type { PageTaker } from '../../wire/pages.ts';

export interface RemotePages {
  readonly source: ReadAhead;
  /** Settles when the source of the pages has ended, which is a failure while any are missing. */
  readonly ended: Promise<void>;
}

/** Pages that the other side sends, asked for ahead of their use. `ranges`: what will be needed. */
export function remotePages(
  taker: PageTaker,
  ranges: ReadonlyMap<number, readonly Omit<PageRange, 'process'>[]>,
  pageBytes: number,
): RemotePages {
  const source = readAhead({
    ranges,
    pageBytes,
    ask: (range, urgent) => {
      taker.ask({ ...range, urgent }).catch(source.fail);
    },
  });
  const hear = async (): Promise<void> => {
    for (let answer = await taker.next(); answer !== undefined; answer = await taker.next()) {
      source.arrived(answer.range, answer.bytes);
    }
  };
  const ended = hear().catch((error: unknown) => {
    source.fail(error);
    throw error;
  });
  ended.catch(() => undefined);
  return { source, ended };
}
