import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { bundleDirectory, type StorePaths } from '../system/store-paths.ts';
import type { EngineContext } from './context.ts';

/** Constant text, given to sh as it is; it starts in a tenth of the time that cryopod takes. */
const UNLESS_TAKEN = '[ -e "$0" ] || exec "$@"';

const takenPath = (store: StorePaths, id: string): string => join(bundleDirectory(store, id), 'end-taken');

/** What the monitor runs once the container has ended: this cryopod, on the same store, settles it; unless it is taken care of. */
export const exitCommand = (ctx: EngineContext, id: string): string[] => [
  ...['/bin/sh', '-c', UNLESS_TAKEN, takenPath(ctx.store, id)],
  ...ctx.self,
  ...['--root', ctx.store.root, '--runroot', ctx.store.runroot],
  ...['container', 'cleanup', id],
];

/**
 * This command will settle the container's end itself: the monitor leaves it alone from now on, until {@link giveEndBack}. Where
 * this command dies, the next one recovers.
 */
export const takeEnd = ({ store }: Pick<EngineContext, 'store'>, id: string): Promise<void> =>
  writeFile(takenPath(store, id), '');

/** Before a monitor starts, and where the container goes on after all. Idempotent. */
export const giveEndBack = ({ store }: Pick<EngineContext, 'store'>, id: string): Promise<void> =>
  rm(takenPath(store, id), { force: true });
