import type { Platform } from '../../image/platform.ts';
import { pullImage as pullFromRegistry, type RegistryAccess } from '../../image/pull.ts';
import { pullName } from '../../image/reference.ts';
import { putImage } from '../../state/images.ts';
import type { EngineContext } from '../context.ts';
import type { NamedImage } from './find.ts';
import { withImagesLock } from './lock.ts';

export interface PullOptions {
  /** Undefined: this machine's. */
  readonly platform?: Platform | undefined;
  readonly access?: RegistryAccess | undefined;
}

/**
 * Brings an image from its registry and gives it its fully qualified name; a name that another image had moves.
 * Errors: IMAGE_FAILED where the registry cannot be reached or has no such image, IMAGE_INVALID, NO_SPACE, INTERRUPTED.
 */
export async function pullImage(
  ctx: EngineContext,
  nameOrLocation: string,
  options: PullOptions = {},
): Promise<NamedImage> {
  const name = pullName(nameOrLocation);
  return await withImagesLock(ctx, 'pull', async () => {
    const pulled = await pullFromRegistry(ctx.store, name, {
      ...options,
      signal: ctx.signal,
      progress: ctx.progress,
    });
    const image = { ...pulled, names: [name] };
    putImage(ctx.db, image);
    return { image, name };
  });
}
