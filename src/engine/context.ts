import type { Progress } from '../model/progress.ts';
import type { Database } from '../state/database.ts';
import type { StorePaths } from '../system/store-paths.ts';

/** What every verb of the engine works with: one store, and the choices that hold for the whole command. */
export interface EngineContext {
  readonly store: StorePaths;
  readonly db: Database;
  /** `--runtime`: a name or a path; undefined leaves the choice to the container or the default. */
  readonly runtime: string | undefined;
  readonly cgroupManager: 'cgroupfs' | 'systemd';
  /** argv that runs this cryopod again on the same store; the monitor calls it with `container cleanup ID`. */
  readonly self: readonly string[];
  readonly progress: Progress;
  /** Aborts when the user interrupts the command. */
  readonly signal: AbortSignal;
  /** Milliseconds to wait for another command on the same object. */
  readonly lockTimeout: number;
}
