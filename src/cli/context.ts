import type { Readable, Writable } from 'node:stream';
import type { EngineContext } from '../engine/context.ts';

/** What a command gets: the engine, opened on first use, and the terminal's side of things. */
export interface CliContext {
  /** The engine on the store that the global flags name. Opening it needs root and repairs what a crash left. */
  readonly engine: () => Promise<EngineContext>;
  /** Results. Everything that is not an answer to the command goes to stderr or the log instead. */
  readonly print: (text: string) => void;
  /** `Error: …` lines for one of several objects, where the command goes on with the others. */
  readonly complain: (error: unknown) => void;
  /** Aborts on the first Ctrl-C or SIGTERM. */
  readonly signal: AbortSignal;
  /** Signals go to `handler` from now on instead of interrupting; returns what ends that. */
  readonly takeSignals: (handler: (name: NodeJS.Signals) => void) => () => void;
  /**
   * stdin and stdout as a two-way stream. Nothing else may print then; a reader that goes away does not end the program.
   * Errors: USAGE for a terminal.
   */
  readonly takeStreams: () => { readonly input: Readable; readonly output: Writable };
  /** The command line without the program, for inspect's CreateCommand. */
  readonly argv: readonly string[];
}
