import { closeSync } from 'node:fs';
import { fail } from '../../model/errors.ts';
import { whenReadable } from '../../system/libc.ts';
import type { ProvidedMemory } from '../../system/userfault.ts';
import { type Missing, missingPages, type Piece } from './missing.ts';
import { openPlacer, type Provided } from './placer.ts';
import { openQuestions, type PageRange, type Stretch } from './questions.ts';
import { openRestorerSocket } from './restorer-socket.ts';

export interface ProviderOptions {
  /** Where CRIU's restore connects (restorer-socket.ts). */
  readonly listener: number;
  /** What the processes lack, in order. */
  readonly ranges: ReadonlyMap<number, readonly Stretch[]>;
  readonly pageBytes: number;
  readonly memory: ProvidedMemory;
  /** Asks for pages; what is urgent goes before all that is not. */
  readonly ask: (range: PageRange, urgent: boolean) => void;
  /** Sees to it that a descriptor outlives this process, so that processes wait then and do not read zeros. */
  readonly keep: (descriptor: number) => void;
}

/** Provides the memory of processes that run before it is there. */
export interface Provider {
  /** Pages have come that were asked for, as a whole. Fails with PEER_INVALID for anything else. */
  readonly arrived: (range: PageRange, bytes: Buffer) => void;
  /** No more will come; processes that touch what is missing wait from now on. */
  readonly fail: (error: unknown) => void;
  /** Resolves once every process has all its memory and the restore is over. Rejects with what failed; nothing is closed. */
  readonly whole: Promise<void>;
  /** Lets the descriptors go: copies apart, whoever touches what is missing reads zeros then. Once, after `whole` has settled. */
  readonly close: () => void;
}

/** Milliseconds between looks whether all is in. */
const LOOK_MS = 50;
/** The same while pages wait for a process that is changing its memory. */
const RETRY_MS = 1;

/**
 * Takes the place of `criu lazy-pages`, which asks for one stretch at a time and places one page for each that a process waits
 * for: here pages go into place as they come, at the pace of the link.
 */
export function startProvider(options: ProviderOptions): Provider {
  const { ranges, pageBytes, memory, ask, keep } = options;
  const spaces: Provided[] = [];
  const questions = openQuestions({ pageBytes, spaces, ask });
  const placer = openPlacer({ pageBytes, spaces, memory });
  const restorer = openRestorerSocket(options.listener);
  let failure: { readonly error: unknown } | undefined;

  const provide = (process: number, descriptor: number, missing: Missing): void => {
    spaces.push({ process, descriptor, missing, gone: false, next: 0 });
    keep(descriptor);
  };
  const fault = (space: Provided, page: number): void => {
    const piece = space.missing.at(page);
    if (piece === undefined) placer.zero(space, page);
    else questions.urgent(space, piece, page);
  };
  const hear = (space: Provided): void => {
    for (const event of memory.events(space.descriptor)) {
      const pages = (bytes: number): number => bytes / pageBytes;
      if (event.kind === 'fault') fault(space, Math.floor(pages(event.address)));
      else if (event.kind === 'remove') space.missing.drop(pages(event.start), pages(event.end));
      else if (event.kind === 'remap')
        space.missing.move(pages(event.from), pages(event.to), pages(event.length));
      else provide(space.process, event.descriptor, space.missing.copy());
    }
  };
  /** A process that forks all the time must not use up descriptors. */
  const forgetGone = (): void => {
    const living = spaces.filter(({ gone }) => !gone);
    for (const { descriptor } of spaces.filter(({ gone }) => gone)) closeSync(descriptor);
    spaces.splice(0, spaces.length, ...living);
  };
  const listen = async (): Promise<void> => {
    while (failure === undefined) {
      forgetGone();
      const lacking = spaces.filter(({ missing }) => !missing.isEmpty());
      if (restorer.isOver() && lacking.length === 0) return;
      const descriptors = [...restorer.descriptors(), ...spaces.map(({ descriptor }) => descriptor)];
      const readable = new Set(await whenReadable(descriptors, placer.isWaiting() ? RETRY_MS : LOOK_MS));
      for (const space of [...spaces]) if (readable.has(space.descriptor)) hear(space);
      if (restorer.descriptors().some((descriptor) => readable.has(descriptor))) {
        const announced = await restorer.hear();
        if (announced !== undefined) {
          const { process, descriptor } = announced;
          provide(process, descriptor, missingPages((ranges.get(process) ?? []).map(pieceOf)));
        }
        if (restorer.isOver()) questions.begin();
      }
      for (const [process, page, pages] of placer.again()) questions.placed(process, page, pages);
      questions.fill();
    }
    throw failure.error;
  };
  const whole = listen().catch((error: unknown) => {
    failure ??= { error };
    throw failure.error;
  });
  whole.catch(() => undefined);
  return {
    arrived: ({ process, page, pages }, bytes) => {
      if (!questions.answered({ process, page, pages }, bytes.length)) {
        fail('PEER_INVALID', { message: 'the source sent pages that it was not asked for' });
      }
      if (placer.place(process, page, bytes)) questions.placed(process, page, pages);
      questions.fill();
    },
    fail: (error) => {
      failure ??= { error };
    },
    whole,
    close: () => {
      restorer.close();
      for (const { descriptor } of spaces) closeSync(descriptor);
      spaces.length = 0;
    },
  };
}

const pieceOf = ({ page, pages }: Stretch): Piece => ({ start: page, end: page + pages, image: page });
