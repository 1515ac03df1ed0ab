import * as v from 'valibot';
import { fail, messageOf } from '../model/errors.ts';
import type { ImageConfig } from '../model/image.ts';

/** Media types of manifests (OCI image-spec media-types.md, and Docker's distribution manifests). */
export const MEDIA_TYPES = {
  ociManifest: 'application/vnd.oci.image.manifest.v1+json',
  ociIndex: 'application/vnd.oci.image.index.v1+json',
  ociConfig: 'application/vnd.oci.image.config.v1+json',
  ociLayer: 'application/vnd.oci.image.layer.v1.tar',
  dockerManifest: 'application/vnd.docker.distribution.manifest.v2+json',
  dockerList: 'application/vnd.docker.distribution.manifest.list.v2+json',
} as const;

/** Caps on untrusted JSON; registries refuse larger manifests, and configs of that size do not exist. */
export const MAX_MANIFEST_BYTES = 4 << 20;
export const MAX_CONFIG_BYTES = 4 << 20;

const digest = v.pipe(v.string(), v.regex(/^sha256:[0-9a-f]{64}$/, 'not a sha256 digest'));
const size = v.pipe(v.number(), v.safeInteger(), v.minValue(0));
const strings = v.array(v.string());
const stringMap = v.record(v.string(), v.string());

const descriptor = v.looseObject({
  mediaType: v.exactOptional(v.string()),
  digest,
  size,
  annotations: v.exactOptional(stringMap),
});

const manifest = v.looseObject({
  schemaVersion: v.literal(2),
  mediaType: v.exactOptional(v.string()),
  config: descriptor,
  layers: v.array(descriptor),
  annotations: v.exactOptional(stringMap),
});

const index = v.looseObject({
  schemaVersion: v.literal(2),
  mediaType: v.exactOptional(v.string()),
  manifests: v.array(
    v.looseObject({
      ...descriptor.entries,
      platform: v.exactOptional(
        v.looseObject({ architecture: v.string(), os: v.string(), variant: v.exactOptional(v.string()) }),
      ),
    }),
  ),
});

const config = v.looseObject({
  architecture: v.exactOptional(v.string()),
  os: v.exactOptional(v.string()),
  created: v.exactOptional(v.string()),
  author: v.exactOptional(v.string()),
  config: v.exactOptional(
    v.looseObject({
      User: v.exactOptional(v.string()),
      Env: v.exactOptional(strings),
      Entrypoint: v.exactOptional(strings),
      Cmd: v.exactOptional(strings),
      WorkingDir: v.exactOptional(v.string()),
      Labels: v.exactOptional(stringMap),
      Volumes: v.exactOptional(v.record(v.string(), v.unknown())),
      ExposedPorts: v.exactOptional(v.record(v.string(), v.unknown())),
      StopSignal: v.exactOptional(v.string()),
    }),
  ),
  rootfs: v.looseObject({ type: v.string(), diff_ids: v.array(digest) }),
  history: v.exactOptional(
    v.array(
      v.looseObject({
        created: v.exactOptional(v.string()),
        created_by: v.exactOptional(v.string()),
        author: v.exactOptional(v.string()),
        comment: v.exactOptional(v.string()),
        empty_layer: v.exactOptional(v.boolean()),
      }),
    ),
  ),
});

const archiveManifest = v.array(
  v.looseObject({ Config: v.string(), RepoTags: v.exactOptional(strings), Layers: strings }),
);

const layerRecord = v.object({ diffId: digest, size });

export type Descriptor = v.InferOutput<typeof descriptor>;
export type Manifest = v.InferOutput<typeof manifest>;
export type ManifestIndex = v.InferOutput<typeof index>;
export type ArchiveManifest = v.InferOutput<typeof archiveManifest>;

/** `null` stands for "absent" in JSON that Go programs write. */
const withoutNulls = (_key: string, value: unknown): unknown => (value === null ? undefined : value);

function parse<const S extends v.GenericSchema>(schema: S, json: string, what: string): v.InferOutput<S> {
  let value: unknown;
  try {
    value = JSON.parse(json, withoutNulls);
  } catch (error) {
    return fail('IMAGE_INVALID', { message: `${what} is not JSON: ${messageOf(error)}`, cause: error });
  }
  const result = v.safeParse(schema, value);
  if (result.success) return result.output;
  const [issue] = result.issues;
  const where = v.getDotPath(issue) ?? 'the top level';
  return fail('IMAGE_INVALID', { message: `${what} is malformed at ${where}: ${issue.message}` });
}

/** An image manifest, OCI or Docker schema 2. Fails with IMAGE_INVALID. */
export const parseManifest = (json: string, what: string): Manifest => parse(manifest, json, what);

/** An OCI index or a Docker manifest list. */
export const parseIndex = (json: string, what: string): ManifestIndex => parse(index, json, what);

export const parseImageConfig = (json: string, what: string): ImageConfig => parse(config, json, what);

/** manifest.json of a `docker save` archive. */
export const parseArchiveManifest = (json: string, what: string): ArchiveManifest =>
  parse(archiveManifest, json, what);

/** layer.json of an unpacked layer. */
export const parseLayerRecord = (json: string, what: string): v.InferOutput<typeof layerRecord> =>
  parse(layerRecord, json, what);

/** True for the JSON of an index or a manifest list, whatever its media type says. */
export function isIndex(json: string): boolean {
  return v.safeParse(v.looseObject({ manifests: v.array(v.unknown()) }), safeJson(json)).success;
}

function safeJson(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
