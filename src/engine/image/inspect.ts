import { readImageConfig, readImageManifest } from '../../image/config.ts';
import { layerDiffDirectory } from '../../image/layers.ts';
import { MEDIA_TYPES } from '../../image/schema.ts';
import type { EngineContext } from '../context.ts';
import { findImage, lookupLocal } from './find.ts';
import { repoDigests } from './list.ts';

/** All about an image in the shape of podman's `image inspect`. Errors: NO_SUCH_IMAGE, AMBIGUOUS_ID, IMAGE_FAILED. */
export async function inspectImage(
  ctx: EngineContext,
  nameOrId: string,
): Promise<Readonly<Record<string, unknown>>> {
  const { image } = findImage(ctx, nameOrId);
  const config = await readImageConfig(ctx.store, image);
  const manifest = await readImageManifest(ctx.store, image);
  const history = config.history ?? [];
  const lower = image.layers.map((layer) => layerDiffDirectory(ctx.store, layer)).toReversed();
  return {
    Id: image.id,
    Digest: image.digest,
    RepoTags: image.names,
    RepoDigests: repoDigests(image),
    Parent: '',
    Comment: history.at(-1)?.comment ?? '',
    Created: image.created,
    Config: config.config ?? {},
    Version: '',
    Author: config.author ?? '',
    Architecture: config.architecture ?? '',
    Os: config.os ?? '',
    Size: image.size,
    VirtualSize: image.size,
    GraphDriver: {
      Name: 'overlay',
      Data: {
        ...(lower.length > 1 ? { LowerDir: lower.slice(1).join(':') } : {}),
        ...(lower[0] === undefined ? {} : { UpperDir: lower[0] }),
      },
    },
    RootFS: { Type: 'layers', Layers: config.rootfs.diff_ids },
    Labels: config.config?.Labels ?? null,
    Annotations: image.annotations,
    ManifestType: manifest.mediaType ?? MEDIA_TYPES.ociManifest,
    User: config.config?.User ?? '',
    History: history,
    NamesHistory: image.names,
  };
}

/** True where a local image has this name or ID. Errors: AMBIGUOUS_ID. */
export const imageExists = (ctx: EngineContext, nameOrId: string): boolean =>
  lookupLocal(ctx, nameOrId) !== undefined;
