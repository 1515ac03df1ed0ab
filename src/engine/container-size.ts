import type { Container } from '../model/container.ts';
import { upperDirectory } from '../rootfs/overlay.ts';
import { listImages } from '../state/images.ts';
import { treeSize } from '../system/tree-size.ts';
import type { EngineContext } from './context.ts';

/** Bytes: what the container itself wrote, and that together with its image. */
export interface ContainerSize {
  readonly rw: number;
  readonly rootFs: number;
}

export async function containerSize(ctx: EngineContext, { config }: Container): Promise<ContainerSize> {
  const rw = await treeSize(upperDirectory(ctx.store, config.id));
  const image = listImages(ctx.db).find(({ id }) => id === config.imageId);
  return { rw, rootFs: rw + (image?.size ?? 0) };
}
