import { readImageConfig } from '../../image/config.ts';
import { findLayer } from '../../image/layers.ts';
import type { Image } from '../../model/image.ts';
import type { EngineContext } from '../context.ts';
import { findImage } from './find.ts';

/** One step of an image's making. */
export interface HistoryStep {
  /** The image's ID for the last step; the others are no images here. */
  readonly id: string;
  /** ISO 8601; undefined where the image does not tell. */
  readonly created: string | undefined;
  readonly createdBy: string;
  /** Uncompressed bytes of the layer; 0 for a step that made none. */
  readonly size: number;
  readonly comment: string;
  readonly tags: readonly string[];
}

const UNKNOWN = '<missing>';

/** How an image was made, last step first. Errors: NO_SUCH_IMAGE, AMBIGUOUS_ID, IMAGE_FAILED. */
export async function imageHistory(ctx: EngineContext, nameOrId: string): Promise<HistoryStep[]> {
  const { image } = findImage(ctx, nameOrId);
  const { history = [] } = await readImageConfig(ctx.store, image);
  const sizes = await layerSizes(ctx, image);
  // An image need not tell its history; its layers are there all the same.
  const told = history.filter(({ empty_layer }) => empty_layer !== true).length;
  const steps = [...history, ...sizes.slice(told).map(() => ({}))];
  let layer = 0;
  const described = steps.map((step: (typeof history)[number]) => ({
    id: UNKNOWN,
    created: step.created,
    createdBy: step.created_by ?? '',
    size: step.empty_layer === true ? 0 : (sizes[layer++] ?? 0),
    comment: step.comment ?? '',
    tags: [],
  }));
  return described
    .toReversed()
    .map((step, at) => (at === 0 ? { ...step, id: image.id, tags: image.names } : step));
}

const layerSizes = (ctx: EngineContext, { layers }: Image): Promise<number[]> =>
  Promise.all(layers.map(async (id) => (await findLayer(ctx.store, id))?.size ?? 0));
