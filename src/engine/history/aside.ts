import { existsSync } from 'node:fs';
import { mkdir, readdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { unmountRootfs } from '../../rootfs/overlay.ts';
import { volumeMountpoint } from '../../rootfs/volumes.ts';
import { publish, TEMP_PREFIX } from '../../system/durable.ts';
import { runOk } from '../../system/process.ts';
import {
  checkpointDirectory,
  containerDirectory,
  overlayDirectory,
  type StorePaths,
} from '../../system/store-paths.ts';
import type { EngineContext } from '../context.ts';
import { checkoutTemp } from './checkout.ts';

interface Place {
  readonly present: string;
  readonly aside: string;
}

const asideDirectory = (store: StorePaths, id: string): string =>
  join(containerDirectory(store, id), 'aside');

const filesPlace = (store: StorePaths, id: string): Place => ({
  present: overlayDirectory(store, id),
  aside: join(asideDirectory(store, id), 'overlay'),
});

const checkpointPlace = (store: StorePaths, id: string): Place => ({
  present: checkpointDirectory(store, id),
  aside: join(asideDirectory(store, id), 'checkpoint'),
});

/** Beside the content, as volumes may lie on a file system of their own. */
const volumePlace = (store: StorePaths, name: string): Place => {
  const present = volumeMountpoint(store, name);
  return { present, aside: join(dirname(present), '_aside') };
};

const places = (store: StorePaths, id: string, volumes: readonly string[]): Place[] => [
  filesPlace(store, id),
  checkpointPlace(store, id),
  ...volumes.map((name) => volumePlace(store, name)),
];

const remove = (path: string): Promise<string> =>
  runOk(['rm', '-rf', '--one-file-system', '--', path], `remove ${path}`);

/** Moves away the files, the checkpoint and the volumes of a stopped container, by renames alone. */
export async function setAside(ctx: EngineContext, id: string, volumes: readonly string[]): Promise<void> {
  await unmountRootfs(ctx.store, id);
  await mkdir(asideDirectory(ctx.store, id), { recursive: true, mode: 0o700 });
  for (const { present, aside } of places(ctx.store, id, volumes)) {
    if (existsSync(present)) await publish(present, aside);
  }
}

/** Undoes {@link setAside}, however far it and what followed came. Also what recovery runs. Idempotent. */
export async function putBack(
  ctx: EngineContext,
  id: string,
  { volumes, hadCheckpoint }: { readonly volumes: readonly string[]; readonly hadCheckpoint: boolean },
): Promise<void> {
  await unmountRootfs(ctx.store, id);
  await removeTemps(ctx, id, volumes);
  for (const { present, aside } of places(ctx.store, id, volumes)) {
    if (!existsSync(aside)) continue;
    await remove(present);
    await publish(aside, present);
  }
  if (!hadCheckpoint) await remove(checkpointDirectory(ctx.store, id));
  await remove(asideDirectory(ctx.store, id));
}

/** What a command that was killed had begun to put in their places. */
async function removeTemps(ctx: EngineContext, id: string, volumes: readonly string[]): Promise<void> {
  await remove(checkoutTemp(ctx.store, id));
  for (const name of volumes) {
    const directory = dirname(volumeMountpoint(ctx.store, name));
    for (const file of (await readdir(directory)).filter((one) => one.startsWith(TEMP_PREFIX))) {
      await remove(join(directory, file));
    }
  }
}

/** The container runs with what took its place: what was set aside goes. Also what recovery runs. Idempotent. */
export async function dropAside(ctx: EngineContext, id: string, volumes: readonly string[]): Promise<void> {
  for (const { aside } of places(ctx.store, id, volumes)) await remove(aside);
  await remove(asideDirectory(ctx.store, id));
}
