import { type PullOptions as PullChoices, pullImage as pull } from '../../image/pull.ts';
import { fail, isCryopodError } from '../../model/errors.ts';
import { listImages, putImage } from '../../state/images.ts';
import type { EngineContext } from '../context.ts';
import type { NamedImage } from './find.ts';
import { whileImageFilesStay } from './lock.ts';

export type PullOptions = Omit<PullChoices, 'progress' | 'signal' | 'known'>;

/**
 * Brings an image from its registry, or from an archive or directory that the reference names by its transport, and gives
 * it its fully qualified name; a name that another image had moves. Errors: IMAGE_FAILED where the registry cannot be
 * reached or has no such image, IMAGE_INVALID, NO_SPACE, USAGE, INTERRUPTED.
 */
export async function pullImage(
  ctx: EngineContext,
  reference: string,
  options: PullOptions = {},
): Promise<NamedImage> {
  return await whileImageFilesStay(ctx, reference, async () => {
    const image = await explained(() =>
      pull(ctx.store, reference, {
        ...options,
        known: listImages(ctx.db),
        signal: ctx.signal,
        progress: ctx.progress,
      }),
    );
    putImage(ctx.db, image);
    return { image, name: image.names[0] ?? image.id };
  });
}

/** Hosts without a registry are cryopod's everyday life: the error says how else an image comes in. */
async function explained<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!isCryopodError(error, 'IMAGE_FAILED')) throw error;
    const { message, hint = '' } = error;
    const other =
      'Without a registry an image comes in by cryopod load (an archive) or import (a root file system).';
    return fail('IMAGE_FAILED', { message, hint: `${hint} ${other}`.trimStart(), cause: error });
  }
}
