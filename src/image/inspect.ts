import type { Image, ImageConfig } from '../model/image.ts';
import { withDigest } from './reference.ts';
import { type Manifest, MEDIA_TYPES } from './schema.ts';

/** What `image inspect` prints, with podman's field names and order. */
export interface ImageInspect {
  readonly Id: string;
  readonly Digest: string;
  readonly RepoTags: readonly string[];
  readonly RepoDigests: readonly string[];
  readonly Parent: string;
  readonly Comment: string;
  readonly Created: string;
  readonly Config: Readonly<Record<string, unknown>>;
  readonly Version: string;
  readonly Author: string;
  readonly Architecture: string;
  readonly Os: string;
  readonly Size: number;
  readonly VirtualSize: number;
  readonly RootFS: { readonly Type: string; readonly Layers: readonly string[] };
  readonly Labels: Readonly<Record<string, string>> | null;
  readonly Annotations: Readonly<Record<string, string>>;
  readonly ManifestType: string;
  readonly User: string;
  readonly History: readonly Readonly<Record<string, unknown>>[];
  readonly NamesHistory: readonly string[];
}

/** The names with tags, as RepoTags shows them. */
export const repoTags = (image: Image): string[] => image.names.filter((name) => !name.includes('@'));

/** Each repository that has a name of the image, with the image's digest. */
export const repoDigests = (image: Image): string[] => [
  ...new Set(image.names.map((name) => withDigest(name, image.digest))),
];

export function inspectImage(image: Image, config: ImageConfig, manifest: Manifest): ImageInspect {
  const { config: defaults = {}, history = [] } = config;
  return {
    Id: image.id,
    Digest: image.digest,
    RepoTags: repoTags(image),
    RepoDigests: repoDigests(image),
    Parent: '',
    Comment: history.at(-1)?.comment ?? '',
    Created: image.created,
    Config: shownConfig(defaults),
    Version: '',
    Author: config.author ?? '',
    Architecture: config.architecture ?? '',
    Os: config.os ?? '',
    Size: image.size,
    VirtualSize: image.size,
    RootFS: { Type: config.rootfs.type, Layers: config.rootfs.diff_ids },
    Labels: defaults.Labels ?? null,
    Annotations: image.annotations,
    ManifestType: manifestType(manifest),
    User: defaults.User ?? '',
    History: history,
    NamesHistory: image.names,
  };
}

/** Fields of the OCI config in the order of its specification; others (Docker's own) are left out, as are empty ones. */
const CONFIG_FIELDS = [
  'User',
  'ExposedPorts',
  'Env',
  'Entrypoint',
  'Cmd',
  'Volumes',
  'WorkingDir',
  'Labels',
  'StopSignal',
] as const;

function shownConfig(defaults: NonNullable<ImageConfig['config']>): Record<string, unknown> {
  const shown = CONFIG_FIELDS.flatMap((name) => {
    const value = defaults[name];
    return value === undefined || value === null || isEmpty(value) ? [] : [[name, value] as const];
  });
  return Object.fromEntries(shown);
}

const isEmpty = (value: object | string): boolean =>
  typeof value === 'string' ? value === '' : Object.keys(value).length === 0;

/** An OCI manifest need not say what it is; the config's type then tells. */
function manifestType(manifest: Manifest): string {
  if (manifest.mediaType !== undefined) return manifest.mediaType;
  const docker = manifest.config.mediaType?.startsWith('application/vnd.docker.') === true;
  return docker ? MEDIA_TYPES.dockerManifest : MEDIA_TYPES.ociManifest;
}

/** One step of how an image was made, as `history` shows it: the last step first. */
export interface HistoryRow {
  /** The image's ID for the last step, `<missing>` for all others: they are no images of their own. */
  readonly id: string;
  readonly created: string;
  readonly createdBy: string;
  /** Uncompressed bytes of the layer; 0 where the step made none. */
  readonly size: number;
  readonly comment: string;
  readonly tags: readonly string[];
}

/** `layerSizes`: of all layers, lowest first. An image without a history still has one row for each layer. */
export function imageHistory(image: Image, config: ImageConfig, layerSizes: readonly number[]): HistoryRow[] {
  const steps: NonNullable<ImageConfig['history']> = config.history ?? layerSizes.map(() => ({}));
  let layer = 0;
  const rows = steps.map((step, at) => {
    const last = at === steps.length - 1;
    const size = step.empty_layer === true ? 0 : (layerSizes[layer] ?? 0);
    if (step.empty_layer !== true) layer += 1;
    return {
      id: last ? image.id : '<missing>',
      created: step.created ?? image.created,
      createdBy: step.created_by ?? '',
      size,
      comment: step.comment ?? '',
      tags: last ? repoTags(image) : [],
    };
  });
  return rows.reverse();
}
