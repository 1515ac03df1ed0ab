import { setTimeout as sleep } from 'node:timers/promises';
import type { MessageOf } from '../../wire/messages.ts';
import { askOutcome } from './conversation.ts';

/** Milliseconds for a link that broke to come back, while a container runs nowhere. */
const LIMIT_MS = 10_000;
const PAUSE_MS = 1000;

/**
 * Asks the target what became of a move, again and again for a while. An interruption does not end it: the answer decides
 * where the container runs. Errors: those of the last try.
 */
export async function askPatiently(
  link: { readonly to: string; readonly command: readonly string[]; readonly patience: number },
  token: string,
): Promise<MessageOf<'outcome'>> {
  const begun = performance.now();
  for (;;) {
    try {
      return await askOutcome({ ...link, signal: new AbortController().signal }, token);
    } catch (error) {
      if (performance.now() - begun > LIMIT_MS) throw error;
      await sleep(PAUSE_MS);
    }
  }
}
