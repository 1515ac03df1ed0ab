/** What is known of a container and of the way to its target before it moves. Bytes, and bytes a second. */
export interface MoveFacts {
  /** Memory that has to go along. */
  readonly memory: number;
  /** Memory that is written anew each second. */
  readonly changeRate: number;
  /** Files of its own: volumes and what it has changed in its root file system. In every mode most of them go before. */
  readonly files: number;
  readonly linkSpeed: number;
  /** The kernel tells which pages have changed: the last freeze need not look at all of them. */
  readonly tracked: boolean;
  /** There is room here for what rounds are compared with. */
  readonly rounds: boolean;
  /** Both sides can bring memory after the thaw. */
  readonly lazy: boolean;
}

export interface ChosenMode {
  readonly mode: 'cold' | 'pre-copy' | 'post-copy';
  /** One sentence without its full stop. */
  readonly why: string;
}

/** Seconds: a client that retransmits does not notice more than this beside the freeze and the thaw themselves. */
const SHORT = 1;
/**
 * Bytes a second at which the last freeze compares memory where the kernel does not tell what has changed, and the target puts
 * together what has come in rounds (docs/performance.md).
 */
const COMPARED = 200e6;
/** Of the link, what may be written anew without the rounds chasing it. */
const CATCHES_UP = 0.6;
/** What a mode must gain to be worth its rounds, or its risk. */
const GAIN = 0.5;

/**
 * Chooses by the time for which the container will be frozen while bytes cross the link. Rounds are preferred to bringing
 * memory afterwards, since a link that breaks costs them nothing. Pure.
 */
export function chooseByFigures(facts: MoveFacts): ChosenMode {
  const { memory, files, changeRate, linkSpeed, tracked, lazy } = facts;
  const cold = memory / linkSpeed;
  const told = `${size(memory)} of memory and ${size(files)} of files, ${size(changeRate)}/s of memory change, the link takes ${size(linkSpeed)}/s`;
  if (cold <= SHORT) return { mode: 'cold', why: `${told}: memory crosses in ${seconds(cold)}` };
  const rest = restOfRounds(facts) / linkSpeed + (tracked ? 0 : memory / COMPARED);
  if (facts.rounds && changeRate <= linkSpeed * CATCHES_UP && rest <= cold * GAIN) {
    return {
      mode: 'pre-copy',
      why: `${told}: after rounds the rest takes ${seconds(rest)} instead of ${seconds(cold)}`,
    };
  }
  const useless = whyNoRounds(facts, rest);
  if (lazy) {
    return {
      mode: 'post-copy',
      why: `${told}: ${useless}, so memory follows after the thaw instead of ${seconds(cold)} before it`,
    };
  }
  return { mode: 'cold', why: `${told}: ${useless}, and memory cannot follow after the thaw` };
}

function whyNoRounds({ changeRate, linkSpeed, rounds }: MoveFacts, rest: number): string {
  if (changeRate > linkSpeed * CATCHES_UP) return 'rounds would not catch up';
  return rounds ? `rounds would leave a freeze of ${seconds(rest)}` : 'there is no room here for rounds';
}

/** Each round brings what has changed during the one before, until a quarter of a second or what one cannot get below. */
const restOfRounds = ({ memory, changeRate, linkSpeed }: MoveFacts): number =>
  Math.min(memory, changeRate * Math.max(0.25, Math.min(1, changeRate / linkSpeed)));

const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];

function size(bytes: number): string {
  const step = Math.min(UNITS.length - 1, Math.floor(Math.log2(Math.max(bytes, 1)) / 10));
  const value = bytes / 1024 ** step;
  return `${value < 10 && step > 0 ? value.toFixed(1) : value.toFixed(0)} ${UNITS[step]}`;
}

const seconds = (value: number): string => `${value < 10 ? value.toFixed(1) : value.toFixed(0)} s`;
