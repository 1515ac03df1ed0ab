import { spaceAt } from '../../system/space.ts';
import type { StorePaths } from '../../system/store-paths.ts';
import { bad, type Check, good, warn } from './check.ts';

const MIB = 1 << 20;
/** Below this a checkpoint of even a small container may not fit. */
const LITTLE = 1024 * MIB;
/** Below this not even an image does. */
const TOO_LITTLE = 64 * MIB;
/** The volatile directory holds sockets and small files. */
const LITTLE_VOLATILE = 16 * MIB;

/** Is there room for images, containers and checkpoints? A checkpoint takes as much as its processes' memory. */
export async function checkSpace({ root, runroot }: StorePaths): Promise<Check[]> {
  const [store, volatile] = await Promise.all([spaceAt(root), spaceAt(runroot)]);
  return [
    judge('space for the store', root, store.free, LITTLE, TOO_LITTLE),
    judge('space for volatile files', runroot, volatile.free, LITTLE_VOLATILE, MIB),
    store.freeFiles > 10_000
      ? good('files for the store', Number.isFinite(store.freeFiles) ? `${store.freeFiles} free` : 'no limit')
      : warn(
          'files for the store',
          `${store.freeFiles} free`,
          'images may not fit',
          `Remove files below ${root}.`,
        ),
  ];
}

function judge(name: string, path: string, free: number, little: number, tooLittle: number): Check {
  const found = `${Math.floor(free / MIB)} MiB free at ${path}`;
  const fix = 'Remove unused containers and images, or choose another directory with --root or --runroot.';
  if (free >= little) return good(name, found);
  if (free >= tooLittle) return warn(name, found, 'large images and checkpoints will not fit', fix);
  return bad(name, found, 'checkpoints will not fit', fix);
}
