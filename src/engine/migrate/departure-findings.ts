import { listImages } from '../../state/images.ts';
import { type Finding, obstacle, ok } from '../plan/preflight/finding.ts';
import { whyNotLazily } from './post-copy.ts';
import { whyNotInRounds } from './pre-copy.ts';
import type { Departure } from './types.ts';

export type Known = Pick<Departure, 'ctx' | 'container' | 'options' | 'target' | 'to' | 'bytes'>;

/** What can be told here of a move once the target has answered: of the mode that was asked for, and of the image. */
export async function departureFindings(known: Known): Promise<readonly Finding[]> {
  return [...(await modeFindings(known)), ...imageFindings(known)];
}

/** `auto` takes none that cannot be. */
async function modeFindings(known: Known): Promise<readonly Finding[]> {
  const { mode } = known.options;
  const refusal = `cannot migrate ${known.container.config.name} with --mode ${mode}`;
  if (mode === 'post-copy') {
    const why = whyNotLazily(known);
    const hint = 'Use --mode cold or pre-copy.';
    if (why !== undefined) return [obstacle('mode', 'MIGRATION_REFUSED', `${refusal}: ${why}`, hint)];
  }
  if (mode === 'pre-copy') {
    const why = await whyNotInRounds(known);
    const hint = 'Free some space, or use --mode cold or post-copy.';
    if (why !== undefined) return [obstacle('mode', 'NO_SPACE', `${refusal}: ${why}`, hint)];
  }
  return [ok('mode', mode === 'auto' ? 'auto: chosen when it moves' : mode)];
}

function imageFindings({ ctx, container, target, to }: Known): readonly Finding[] {
  if (!target.lacksImage) return [];
  const { imageId, imageName } = container.config;
  const image = `${imageName} (${imageId.slice(0, 12)})`;
  if (listImages(ctx.db).some(({ id }) => id === imageId)) {
    return [ok('image', `${image} goes along, as far as ${to} lacks its layers`)];
  }
  const sentence = `the image ${image} is neither here nor at ${to}`;
  return [obstacle('image', 'NO_SUCH_IMAGE', sentence, `Pull or load it at ${to}.`)];
}
