import { openProcess } from '../../criu/delta/live-process.ts';
import { fail } from '../../model/errors.ts';
import { pidInside, processTree } from '../../system/procfs.ts';
import type { PageGiver, PagesWanted } from '../../wire/pages.ts';

/** The memory of processes that stand still. */
export interface FrozenMemory {
  /** Fails with PEER_INVALID for a process that is not one of them, and for memory that it does not have. */
  readonly read: (wanted: PagesWanted) => Buffer;
  readonly close: () => void;
}

/** Opens the memory of a process and all below it, which stay frozen while it is used. */
export function openFrozenMemory(root: number, pageBytes: number): FrozenMemory {
  const opened = new Map(
    processTree(root).flatMap(({ pid }) => {
      const inside = pidInside(pid);
      const process = inside === undefined ? undefined : openProcess(pid);
      return inside === undefined || process === undefined ? [] : [[inside, process]];
    }),
  );
  return {
    read: ({ process, page, pages }) => {
      const bytes = Buffer.allocUnsafeSlow(pages * pageBytes);
      const got = opened.get(process)?.memory(bytes, page * pageBytes);
      if (got === bytes.length) return bytes;
      return fail('PEER_INVALID', {
        message: `the target asks for memory that process ${process} of the container does not have`,
      });
    },
    close: () => {
      for (const process of opened.values()) process.close();
      opened.clear();
    },
  };
}

/** Questions that may wait; the target has its own limit, which is far lower. */
const MOST_WAITING = 1 << 16;

/**
 * Answers what the target asks, until it ends its questions: what is urgent first, the rest in order. `onSent` is told of the
 * bytes of each answer. Errors: those of the wire; PEER_INVALID.
 */
export async function sendPages(
  giver: PageGiver,
  memory: FrozenMemory,
  onSent: (bytes: number) => void = () => undefined,
): Promise<void> {
  const urgent: PagesWanted[] = [];
  const ordinary: PagesWanted[] = [];
  let wake: (() => void) | undefined;
  let ended = false;
  const listen = async (): Promise<void> => {
    for (let wanted = await giver.next(); wanted !== undefined; wanted = await giver.next()) {
      if (urgent.length + ordinary.length >= MOST_WAITING) {
        fail('PEER_INVALID', { message: 'the target asks for more pages than it may' });
      }
      (wanted.urgent ? urgent : ordinary).push(wanted);
      wake?.();
    }
  };
  const listening = listen().finally(() => {
    ended = true;
    wake?.();
  });
  const answer = async (): Promise<void> => {
    for (;;) {
      const wanted = urgent.shift() ?? ordinary.shift();
      if (wanted !== undefined) {
        const bytes = memory.read(wanted);
        await giver.answer(wanted, bytes);
        onSent(bytes.length);
      } else if (ended) return;
      else
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
    }
  };
  await Promise.all([listening, answer()]);
}
