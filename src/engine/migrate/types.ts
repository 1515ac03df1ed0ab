import type { Container } from '../../model/container.ts';
import type { MessageOf, MoveMode } from '../../wire/messages.ts';
import type { Wire } from '../../wire/wire.ts';
import type { EngineContext } from '../context.ts';
import type { ImportChoice } from '../import.ts';
import type { ImportedArchive } from '../import-archive.ts';

/** How the members of a move are compressed on the link. */
export type Packing = 'none' | 'zstd';

export interface MigrateOptions {
  /** `[user@]host`; undefined where `via` alone leads there. */
  readonly host: string | undefined;
  /** A command instead of ssh. */
  readonly via: string | undefined;
  readonly mode: MoveMode | 'auto';
  /** The container's name there; it gets an ID of its own with it. */
  readonly name: string | undefined;
  /** It stays here, stopped. */
  readonly keepSource: boolean;
  readonly tcpEstablished: boolean;
  readonly fileLocks: boolean;
  readonly ignoreCpu: boolean;
  /** Bytes a second. */
  readonly bwlimit: number | undefined;
  readonly compress: Packing | 'auto';
  /** Of pre-copy. */
  readonly maxRounds: number;
  /** Seconds without a sign of life of the target after which the link counts as broken, and for the target the other way. */
  readonly timeout: number;
}

/** One container on its way: what every mode works with at the source. The caller holds the container's lock. */
export interface Departure {
  readonly ctx: EngineContext;
  readonly container: Container;
  readonly options: MigrateOptions;
  /** Names the target in messages. */
  readonly to: string;
  /** An interruption closes it, until {@link Departure.pastReturn} was called. */
  readonly wire: Wire;
  /** 32 hexadecimal digits. */
  readonly token: string;
  /** argv of the link. */
  readonly command: readonly string[];
  readonly packing: Packing;
  /** Files go in rounds before the freeze. */
  readonly inRounds: boolean;
  /** About what is to be sent, uncompressed. */
  readonly bytes: MessageOf<'request'>['bytes'];
  /** Bytes a second that the link takes, as far as it was measured or is limited. */
  readonly linkRate: number | undefined;
  /** What the target has said of itself. */
  readonly target: Pick<MessageOf<'findings'>, 'lacksImage' | 'lazy'>;
  /** The container is given away from now on: an interruption must not break what is left to say. */
  readonly pastReturn: () => void;
  /** Asks the target in a new stream what became of the move; the first one is closed. Errors: LINK_LOST, PEER_INVALID. */
  readonly ask: () => Promise<MessageOf<'outcome'>>;
}

/** What the end report tells of a move. */
export interface MoveFigures {
  /** Microseconds from the freeze here until the processes ran there. */
  readonly downtime: number;
  /** Before the freeze: of files, and in pre-copy of memory. */
  readonly rounds: number;
}

/** The container runs there: it is gone from here, or stopped. Errors: it goes on here, or IN_DOUBT. */
export type DepartureMode = (departure: Departure) => Promise<MoveFigures>;

/** One container as it comes in: what every mode works with at the target. */
export interface Arrival {
  readonly ctx: EngineContext;
  readonly wire: Wire;
  readonly request: MessageOf<'request'>;
  /** On the store's file system; gone when the move is over. Only `request/` is in it, which is of no more use. */
  readonly directory: string;
  /** How the container is to be thawed, as the preflight has settled it. */
  readonly choice: ImportChoice;
}

/** What a mode has taken in before the hand-over, checked as an import is. */
export interface Arrived {
  readonly archive: ImportedArchive;
  /** Of post-copy: the processes run before their memory is here. */
  readonly lazy: boolean;
}
