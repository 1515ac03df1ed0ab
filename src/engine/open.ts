import { mkdirSync, realpathSync } from 'node:fs';
import { fail } from '../model/errors.ts';
import type { Progress } from '../model/progress.ts';
import { silentProgress } from '../model/progress.ts';
import { openDatabase } from '../state/database.ts';
import { unfinishedOperations } from '../state/journal.ts';
import { DEFAULT_LOCK_TIMEOUT_MS } from '../state/locks.ts';
import { tendReserve } from '../state/reserve.ts';
import { hasSchedules } from '../state/schedules.ts';
import { databasePath, type StorePaths } from '../system/store-paths.ts';
import { sweepScratch } from './checkpoint-view/scratch.ts';
import type { EngineContext } from './context.ts';

export interface OpenOptions {
  readonly store: StorePaths;
  readonly runtime?: string | undefined;
  readonly cgroupManager?: 'cgroupfs' | 'systemd' | undefined;
  /** argv that runs this cryopod again. */
  readonly self: readonly string[];
  readonly progress?: Progress | undefined;
  readonly signal: AbortSignal;
  readonly lockTimeout?: number | undefined;
}

/**
 * Opens a store for a command; first repairs what a crashed command left unfinished. Errors: NEEDS_ROOT, STORE_FAILED.
 */
export async function openEngine(options: OpenOptions): Promise<EngineContext> {
  if (process.geteuid?.() !== 0) {
    fail('NEEDS_ROOT', {
      message: 'cryopod needs root: it mounts file systems, makes namespaces and freezes processes',
      hint: 'Run it with sudo.',
    });
  }
  const store = {
    root: makeRealDirectory(options.store.root),
    runroot: makeRealDirectory(options.store.runroot),
  };
  tendReserve(store.root);
  const ctx: EngineContext = {
    store,
    db: openDatabase(databasePath(store)),
    runtime: options.runtime,
    cgroupManager: options.cgroupManager ?? 'cgroupfs',
    self: options.self,
    progress: options.progress ?? silentProgress,
    signal: options.signal,
    lockTimeout: options.lockTimeout ?? DEFAULT_LOCK_TIMEOUT_MS,
  };
  if (unfinishedOperations(ctx.db).length > 0) {
    // Loaded only when needed: recovery reaches nearly all of the engine, and most commands do not.
    const { recover } = await import('./recover.ts');
    await recover(ctx);
  }
  await sweepScratch(store);
  if (hasSchedules(ctx.db)) {
    const { ensureScheduled } = await import('./history/supervise.ts');
    await ensureScheduled(ctx);
  }
  return ctx;
}

/** Without symbolic links in its path: runc refuses a root file system behind one. */
function makeRealDirectory(path: string): string {
  mkdirSync(path, { recursive: true, mode: 0o711 });
  return realpathSync(path);
}
