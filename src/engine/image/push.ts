import { type PushOptions as PushChoices, pushImage as push } from '../../image/push.ts';
import { fail } from '../../model/errors.ts';
import type { EngineContext } from '../context.ts';
import { findImage } from './find.ts';
import { whileImageFilesStay } from './lock.ts';

export type PushOptions = Omit<PushChoices, 'progress' | 'signal'>;

/**
 * Copies an image to a registry, archive or directory; without `destination` to the registry of its own name. Returns the
 * digest of the manifest there. Errors: NO_SUCH_IMAGE, USAGE, IMAGE_FAILED, NO_SPACE, INTERRUPTED.
 */
export async function pushImage(
  ctx: EngineContext,
  nameOrId: string,
  destination: string | undefined,
  options: PushOptions = {},
): Promise<string> {
  const { image, name, byId } = findImage(ctx, nameOrId);
  if (destination === undefined && byId) {
    fail('USAGE', {
      message: `image ID "${nameOrId}" names no registry to push to`,
      hint: 'Give the destination as a second argument: push IMAGE REGISTRY/NAME:TAG.',
    });
  }
  return await whileImageFilesStay(ctx, nameOrId, () =>
    push(ctx.store, image, destination ?? name, { ...options, signal: ctx.signal, progress: ctx.progress }),
  );
}
