import { type FoundImage, lookupImage, resolveImage } from '../../image/lookup.ts';
import type { Image } from '../../model/image.ts';
import { listImages } from '../../state/images.ts';
import type { EngineContext } from '../context.ts';

export interface NamedImage {
  readonly image: Image;
  /** The fully qualified name that was meant; of an image found by its ID its first name, or the ID if it has none. */
  readonly name: string;
}

export interface LocalImage extends NamedImage {
  /** It was found by its ID, not by a name. */
  readonly byId: boolean;
}

const toLocal = ({ image, name }: FoundImage): LocalImage => ({
  image,
  name: name ?? image.names[0] ?? image.id,
  byId: name === undefined,
});

/** A local image by name or ID, or undefined. Errors: AMBIGUOUS_ID, USAGE for text that can be no name. */
export function lookupLocal(ctx: EngineContext, nameOrId: string): LocalImage | undefined {
  const found = lookupImage(nameOrId, listImages(ctx.db));
  return found === undefined ? undefined : toLocal(found);
}

/** Like {@link lookupLocal}. Errors: NO_SUCH_IMAGE as well. */
export const findImage = (ctx: EngineContext, nameOrId: string): LocalImage =>
  toLocal(resolveImage(nameOrId, listImages(ctx.db)));
