import { localCandidates, normalizeName, parseReference } from '../../image/reference.ts';
import { fail } from '../../model/errors.ts';
import type { Image } from '../../model/image.ts';
import { tagImage, untagImage } from '../../state/images.ts';
import type { EngineContext } from '../context.ts';
import { findImage } from './find.ts';
import { withImagesLock } from './lock.ts';

/** Gives an image more names; a name that another image has moves. All or none. Errors: NO_SUCH_IMAGE, USAGE. */
export async function tag(ctx: EngineContext, nameOrId: string, names: readonly string[]): Promise<void> {
  const full = names.map(newName);
  await withImagesLock(ctx, 'tag', async () => {
    const { image } = findImage(ctx, nameOrId);
    for (const name of full) tagImage(ctx.db, image.id, name);
  });
}

function newName(text: string): string {
  if (parseReference(text).digest !== undefined) {
    fail('USAGE', { message: `tag by digest not supported: ${text}`, hint: 'Give a name with a tag.' });
  }
  return normalizeName(text);
}

/** Takes names away from an image, or all of them where none is given; the image stays. Errors: NO_SUCH_IMAGE, USAGE. */
export async function untag(ctx: EngineContext, nameOrId: string, names: readonly string[]): Promise<void> {
  await withImagesLock(ctx, 'untag', async () => {
    const { image } = findImage(ctx, nameOrId);
    const chosen = names.length === 0 ? image.names : names.map((name) => ownName(image, name));
    for (const name of chosen) untagImage(ctx.db, name);
  });
}

function ownName(image: Image, text: string): string {
  const name = localCandidates(text).find((candidate) => image.names.includes(candidate));
  return name ?? fail('NO_SUCH_IMAGE', { message: `${normalizeName(text)}: tag not known` });
}
