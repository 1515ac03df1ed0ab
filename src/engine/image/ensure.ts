import { fail } from '../../model/errors.ts';
import type { EngineContext } from '../context.ts';
import { lookupLocal, type NamedImage } from './find.ts';
import { type PullOptions, pullImage } from './pull.ts';

/** When `run`, `create` and `pull` ask the registry. `newer`: always, but a registry out of reach is no error. */
export type PullPolicy = 'always' | 'missing' | 'never' | 'newer';

/**
 * The image that a name or ID means, brought from its registry where the policy says so. Errors: NO_SUCH_IMAGE when it is
 * not here and must not be pulled, those of {@link pullImage}.
 */
export async function ensureImage(
  ctx: EngineContext,
  name: string,
  policy: PullPolicy,
  options: PullOptions = {},
): Promise<NamedImage> {
  const local = lookupLocal(ctx, name);
  if (local !== undefined && (policy === 'never' || policy === 'missing')) return local;
  if (policy === 'never') {
    fail('NO_SUCH_IMAGE', {
      message: `${name}: no such image (it is not in the local store and --pull=never forbids to pull it)`,
      hint: 'Bring it with cryopod pull, load or import.',
    });
  }
  // An ID or a name that was made here belongs to no registry.
  if (local !== undefined && (local.byId || local.name.startsWith('localhost/'))) return local;
  try {
    return await pullImage(ctx, local?.name ?? name, options);
  } catch (error) {
    if (local === undefined || policy !== 'newer' || ctx.signal.aborted) throw error;
    return local;
  }
}
