import { readImageConfig } from '../../image/config.ts';
import { repoDigests, repoTags } from '../../image/inspect.ts';
import { lookupImage } from '../../image/lookup.ts';
import { fail } from '../../model/errors.ts';
import {
  applyFilters,
  type Filters,
  type Matcher,
  matchBoolean,
  matchLabels,
  matchNoLabels,
} from '../../model/filters.ts';
import type { Image } from '../../model/image.ts';
import { parseTimePoint } from '../../model/time-point.ts';
import { listImages } from '../../state/images.ts';
import type { EngineContext } from '../context.ts';
import { matchesPattern } from '../plan/name-pattern.ts';
import { findImage } from './find.ts';
import { imageUsers } from './usage.ts';

/** An image as podman's `images --format json` tells of it. */
export interface ImageSummary {
  readonly Id: string;
  readonly ParentId: '';
  readonly RepoTags: readonly string[];
  readonly RepoDigests: readonly string[];
  /** Bytes. */
  readonly Size: number;
  readonly SharedSize: 0;
  readonly VirtualSize: number;
  readonly Labels: Readonly<Record<string, string>>;
  /** Number of containers that were made from it. */
  readonly Containers: number;
  readonly Names: readonly string[];
  readonly Digest: string;
  readonly History: readonly string[];
  readonly Dangling: boolean;
  /** ISO 8601. */
  readonly Created: string;
}

type Labels = Readonly<Record<string, string>>;

/** Images that pass the filters, newest first. `withLabels` costs a look at each image's config. Errors: USAGE. */
export async function listImageSummaries(
  ctx: EngineContext,
  filters: Filters,
  { withLabels }: { readonly withLabels: boolean },
): Promise<ImageSummary[]> {
  const users = imageUsers(ctx);
  const images = await selectImages(ctx, filters);
  return await Promise.all(
    images.map(async (image) => ({
      Id: image.id,
      ParentId: '',
      RepoTags: repoTags(image),
      RepoDigests: repoDigests(image),
      Size: image.size,
      SharedSize: 0,
      VirtualSize: image.size,
      Labels: withLabels ? await labelsOf(ctx, image) : {},
      Containers: users.get(image.id)?.length ?? 0,
      Names: image.names,
      Digest: image.digest,
      History: image.names,
      Dangling: image.names.length === 0,
      Created: image.created,
    })),
  );
}

/** The images that pass the filters of podman-images(1), newest first. */
export async function selectImages(ctx: EngineContext, filters: Filters): Promise<Image[]> {
  const images = listImages(ctx.db);
  const labels = new Map<string, Labels>();
  if (filters.has('label') || filters.has('label!')) {
    for (const image of images) labels.set(image.id, await labelsOf(ctx, image));
  }
  return applyFilters(
    images,
    filters,
    matchers(ctx, images, labels),
    (key) => `unsupported image filter "${key}"`,
  );
}

async function labelsOf(ctx: EngineContext, image: Image): Promise<Labels> {
  return (await readImageConfig(ctx.store, image)).config?.Labels ?? {};
}

function matchers(
  ctx: EngineContext,
  images: readonly Image[],
  labels: ReadonlyMap<string, Labels>,
): Readonly<Record<string, Matcher<Image>>> {
  const users = imageUsers(ctx);
  const createdOf = (name: string): number => Date.parse(findImage(ctx, name).image.created);
  const since: Matcher<Image> = (image, names) =>
    names.every((name) => Date.parse(image.created) > createdOf(name));
  return {
    after: since,
    since,
    before: (image, names) => names.every((name) => Date.parse(image.created) < createdOf(name)),
    containers: ({ id }, values) => matchBoolean('containers', users.has(id), values),
    dangling: ({ names }, values) => matchBoolean('dangling', names.length === 0, values),
    digest: ({ digest }, values) => values.some((value) => digest.startsWith(withAlgorithm(value))),
    id: ({ id }, values) => values.some((value) => id.startsWith(value.replace(/^sha256:/, ''))),
    // There are neither layers that are images of their own, nor stores that can only be read, nor lists of images.
    intermediate: (_, values) => matchBoolean('intermediate', false, values),
    manifest: (_, values) => matchBoolean('manifest', false, values),
    readonly: (_, values) => matchBoolean('readonly', false, values),
    label: ({ id }, values) => matchLabels(labels.get(id) ?? {}, values),
    'label!': ({ id }, values) => matchNoLabels(labels.get(id) ?? {}, values),
    reference: (image, values) => values.some((value) => meansImage(image, images, value)),
    until: ({ created }, values) => values.every((value) => Date.parse(created) < parseTimePoint(value)),
  };
}

const withAlgorithm = (digest: string): string => {
  if (!/^(sha256:)?[0-9a-f]{1,64}$/.test(digest)) {
    fail('USAGE', { message: `invalid value for filter "digest": ${digest}` });
  }
  return digest.startsWith('sha256:') ? digest : `sha256:${digest}`;
};

/** A name, an ID, or a pattern with * and ? of a name. */
function meansImage(image: Image, images: readonly Image[], wanted: string): boolean {
  if (/[*?[]/.test(wanted)) return image.names.some((name) => matchesPattern(name, wanted));
  return image.names.some((name) => matchesPattern(name, wanted)) || lookupId(wanted, images) === image.id;
}

const lookupId = (wanted: string, images: readonly Image[]): string | undefined =>
  /^(sha256:)?[0-9a-f]{1,64}$/.test(wanted) ? lookupImage(wanted, images)?.image.id : undefined;
