/** Seconds without a sign of life of the other side that count as the end of the link, where nothing else is asked for. */
export const PATIENCE = 30;

/** Milliseconds. */
const TICK_MS = 1000;

export interface LifeOptions {
  /** Ticks without a sign of life. Default: {@link PATIENCE}. */
  readonly patience?: number | undefined;
  /** Milliseconds between signs of life. Default: a second, which both sides rely on. */
  readonly tickMs?: number | undefined;
}

/** What a watch over a stream is told. */
export interface LifeWatch {
  /** Something has come; until `listening` is called, whoever reads is busy with it, and what else comes waits unread. */
  readonly heard: () => void;
  /** Whoever reads waits for more. */
  readonly listening: () => void;
  /** Something goes out. */
  readonly said: () => void;
  /** In ticks, from now on. */
  readonly setPatience: (patience: number) => void;
  readonly stop: () => void;
}

export interface LifeActions {
  /** Called in each tick in which nothing else goes out. */
  readonly giveSign: () => void;
  /** Called once, when the other side has given none for so many ticks. */
  readonly onLifeless: (patience: number) => void;
}

/**
 * Watches over both directions of a stream. Ticks are counted, and not time: a process that was stopped itself has missed them,
 * and must not blame the other side.
 */
export function watchLife(
  { patience: asked = PATIENCE, tickMs = TICK_MS }: LifeOptions,
  { giveSign, onLifeless }: LifeActions,
): LifeWatch {
  let patience = asked;
  let missed = 0;
  let isListening = true;
  let hasSaid = true;
  const tick = (): void => {
    if (!hasSaid) giveSign();
    hasSaid = false;
    missed = isListening ? missed + 1 : 0;
    if (missed <= patience) return;
    clearInterval(timer);
    onLifeless(patience);
  };
  const timer = setInterval(tick, tickMs);
  return {
    heard: () => {
      missed = 0;
      isListening = false;
    },
    listening: () => {
      isListening = true;
    },
    said: () => {
      hasSaid = true;
    },
    setPatience: (ticks) => {
      patience = ticks;
    },
    stop: () => clearInterval(timer),
  };
}
