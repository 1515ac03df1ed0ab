import { fail } from '../model/errors.ts';
import { isFullId, isIdPrefix, shortId } from '../model/ids.ts';
import type { Image } from '../model/image.ts';
import { formatReference, localCandidates, parseReference, type Reference } from './reference.ts';

/** An image and the full name under which it was found; undefined when it was found by its ID. */
export interface FoundImage {
  readonly image: Image;
  readonly name: string | undefined;
}

/**
 * Finds a local image by full ID, name, short name or abbreviated ID, in this order; undefined when there is none.
 * Fails with AMBIGUOUS_ID where a short name or an abbreviated ID fits several images.
 */
export function lookupImage(name: string, images: readonly Image[]): FoundImage | undefined {
  const id = name.startsWith('sha256:') ? name.slice('sha256:'.length) : name;
  if (isFullId(id)) return found(images.find((image) => image.id === id));
  if (name === id) {
    const named = byName(name, images);
    if (named !== undefined) return named;
  }
  return isIdPrefix(id) ? byIdPrefix(id, images) : undefined;
}

/** Like {@link lookupImage}, but fails with NO_SUCH_IMAGE when there is none. */
export function resolveImage(name: string, images: readonly Image[]): FoundImage {
  return lookupImage(name, images) ?? fail('NO_SUCH_IMAGE', { message: `${name}: image not known` });
}

const found = (image: Image | undefined): FoundImage | undefined =>
  image === undefined ? undefined : { image, name: undefined };

function byName(name: string, images: readonly Image[]): FoundImage | undefined {
  const wanted = parseReference(name);
  for (const candidate of localCandidates(name)) {
    const image = images.find((one) => one.names.includes(candidate) || hasDigest(one, candidate));
    if (image !== undefined) return { image, name: candidate };
  }
  return wanted.registry === undefined ? bySuffix(wanted, images) : undefined;
}

/** `NAME@DIGEST` finds an image that has the digest and any tag of that repository. */
function hasDigest(image: Image, candidate: string): boolean {
  const { registry, repository, digest } = parseReference(candidate);
  if (digest === undefined || digest !== image.digest) return false;
  return image.names
    .map(parseReference)
    .some((own) => own.registry === registry && own.repository === repository);
}

/** A short name also finds an image of another registry whose path ends with it. */
function bySuffix(wanted: Reference, images: readonly Image[]): FoundImage | undefined {
  const suffix = `/${formatReference(wanted.digest === undefined ? { ...wanted, tag: wanted.tag ?? 'latest' } : wanted)}`;
  const matches = images.flatMap((image) =>
    image.names.filter((name) => name.endsWith(suffix)).map((name) => ({ image, name })),
  );
  if (new Set(matches.map((match) => match.image.id)).size > 1) {
    ambiguous(
      suffix.slice(1),
      matches.map((match) => match.name),
    );
  }
  return matches[0];
}

function byIdPrefix(prefix: string, images: readonly Image[]): FoundImage | undefined {
  const matches = images.filter((image) => image.id.startsWith(prefix));
  if (matches.length > 1)
    ambiguous(
      prefix,
      matches.map((image) => shortId(image.id)),
    );
  return found(matches[0]);
}

function ambiguous(name: string, matches: readonly string[]): never {
  fail('AMBIGUOUS_ID', {
    message: `${name} matches several images: ${matches.join(', ')}`,
    hint: 'Give the full name, registry included, or more digits of the ID.',
  });
}
