import { createHash } from 'node:crypto';
import { mkdir, open, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { append } from '../../archive/reader-files.ts';
import type { MemberSource } from '../../archive/types.ts';
import { blobPath, digestHex, openRegular } from '../../image/blobs.ts';
import { detectCompression } from '../../image/compression.ts';
import { ingestImage } from '../../image/ingest.ts';
import { type Descriptor, MAX_MANIFEST_BYTES } from '../../image/schema.ts';
import { type ImageParts, imageParts, lackingBlobs } from '../../image/transfer.ts';
import { fail } from '../../model/errors.ts';
import type { Image } from '../../model/image.ts';
import { listImages } from '../../state/images.ts';
import { faultPoint } from '../../system/faults.ts';
import { freeBytes } from '../../system/space.ts';
import type { Wire } from '../../wire/wire.ts';
import type { EngineContext } from '../context.ts';
import { whileImageComes, whileImageFilesStay } from '../image/lock.ts';
import { recordImported, type WantedImage } from '../import-image.ts';
import { memberSource } from './member-source.ts';
import { memberWriter } from './member-writer.ts';
import { expectMessage, heardOut } from './peer.ts';
import type { Departure } from './types.ts';

/** The first member; the others are called by the hexadecimal part of their digests. */
const MANIFEST = 'manifest.json';

type Sending = Pick<Departure, 'ctx' | 'container' | 'wire' | 'to' | 'packing'>;

/**
 * Sends what the target lacks of a container's image, and returns when it has recorded the image there. The container runs
 * meanwhile. Errors: NO_SUCH_IMAGE, PEER_INVALID, those of the wire, what the target failed with.
 */
export async function sendImage(departure: Sending): Promise<void> {
  const { ctx, container, wire, to } = departure;
  const image = imageOf(ctx, container.config);
  await whileImageFilesStay(ctx, image.id, () =>
    heardOut(wire, to, async () => {
      await sendParts(departure, await imageParts(ctx.store, image));
      faultPoint('image.sent');
      await expectMessage(wire, to, 'kept');
    }),
  );
  ctx.progress({ phase: 'image', subject: container.config.name, done: true });
}

function imageOf(ctx: EngineContext, { imageId, imageName }: WantedImage): Image {
  const image = listImages(ctx.db).find(({ id }) => id === imageId);
  return (
    image ??
    fail('NO_SUCH_IMAGE', {
      message: `the image ${imageName} (${imageId.slice(0, 12)}) is neither here nor there`,
      hint: 'Pull or load it at the target.',
    })
  );
}

async function sendParts(
  { ctx, container, wire, to, packing }: Sending,
  { manifest, blobs }: ImageParts,
): Promise<void> {
  let before = 0;
  let bytes = 0;
  const progress = (more: number): void => {
    bytes = before + more;
    ctx.progress({ phase: 'image', subject: container.config.name, bytes });
  };
  await memberWriter(wire, { packing: 'none', progress }).addContent(MANIFEST, manifest);
  const { blobs: lacking } = await expectMessage(wire, to, 'lacks');
  for (const digest of lacking) {
    if (!blobs.has(digest))
      fail('PEER_INVALID', { message: `${to} asks for ${digest}, which is not the image's` });
    before = bytes;
    const path = blobPath(ctx.store, digest);
    const writer = memberWriter(wire, { packing: (await isPacked(path)) ? 'none' : packing, progress });
    await writer.addFile(digestHex(digest), path);
  }
}

async function isPacked(path: string): Promise<boolean> {
  const file = await openRegular(path);
  try {
    return (await detectCompression(file)) !== 'none';
  } finally {
    await file.close();
  }
}

export interface ComingImage {
  readonly wire: Wire;
  /** Names the source in errors. */
  readonly from: string;
  /** On the store's file system. */
  readonly directory: string;
  readonly wanted: WantedImage;
}

/**
 * The target's part: asks for the blobs that are not here, checks them, unpacks and records the image. All that comes is
 * hostile. Whatever fails, and if this process dies, nothing of the image stays but what others need. Errors: IMAGE_INVALID,
 * NO_SPACE, those of the wire.
 */
export async function takeImage(
  ctx: EngineContext,
  { wire, from, directory, wanted }: ComingImage,
): Promise<void> {
  const blobs = await whileImageComes(ctx, wanted.imageId, async () => {
    const place = join(directory, 'image');
    await mkdir(place, { mode: 0o700 });
    const source = memberSource(wire, from);
    const manifest = await takeManifest(source);
    await writeFile(join(place, MANIFEST), manifest, { mode: 0o600 });
    const lacking = await lackingBlobs(ctx.store, manifest, wanted.imageId);
    await checkRoom(ctx, lacking);
    await wire.send({ type: 'lacks', blobs: lacking.map(({ digest }) => digest) });
    for (const blob of lacking) await takeBlob(source, place, blob);
    faultPoint('image.come');
    const files = {
      manifest: join(place, MANIFEST),
      blob: (digest: string) => join(place, digestHex(digest)),
      move: true,
      verified: true,
      what: `image ${wanted.imageId}`,
    };
    const image = await ingestImage(ctx.store, files, [], { signal: ctx.signal });
    faultPoint('image.taken');
    recordImported(ctx, image, wanted.imageName);
    return lacking.length;
  });
  faultPoint('image.kept');
  await wire.send({ type: 'kept', number: blobs });
}

async function expectMember(source: MemberSource, name: string): Promise<void> {
  const entry = await source.next();
  if (entry?.kind === 'file' && entry.name === name) return;
  fail('IMAGE_INVALID', { message: `${entry?.name ?? 'nothing'} came where ${name} of an image was due` });
}

async function takeManifest(source: MemberSource): Promise<Buffer> {
  await expectMember(source, MANIFEST);
  const parts: Buffer[] = [];
  let bytes = 0;
  for (let part = await source.content(); part !== undefined; part = await source.content()) {
    bytes += part.length;
    if (bytes > MAX_MANIFEST_BYTES) {
      fail('IMAGE_INVALID', {
        message: `the manifest is larger than the ${MAX_MANIFEST_BYTES} bytes allowed`,
      });
    }
    parts.push(Buffer.from(part));
  }
  return Buffer.concat(parts);
}

/** Unpacked it takes more; whoever is to have that much free has less than that otherwise. */
async function checkRoom(ctx: EngineContext, lacking: readonly Descriptor[]): Promise<void> {
  const bytes = lacking.reduce((total, { size }) => total + size, 0);
  const free = await freeBytes(ctx.store.root);
  if (bytes <= free) return;
  fail('NO_SPACE', {
    message: `what is missing of the image takes ${bytes} bytes, and ${ctx.store.root} has ${free} free`,
  });
}

/** Never writes more than the manifest claims. */
async function takeBlob(source: MemberSource, place: string, { digest, size }: Descriptor): Promise<void> {
  const name = digestHex(digest);
  await expectMember(source, name);
  const file = await open(join(place, name), 'wx', 0o600);
  try {
    const hash = createHash('sha256');
    let bytes = 0;
    for (let part = await source.content(); part !== undefined; part = await source.content()) {
      bytes += part.length;
      if (bytes > size) break;
      hash.update(part);
      await append(file, name, part);
    }
    if (bytes !== size) {
      fail('IMAGE_INVALID', {
        message: `the blob ${digest} has ${bytes > size ? 'more' : 'less'} than its ${size} bytes`,
      });
    }
    const actual = `sha256:${hash.digest('hex')}`;
    if (actual !== digest) fail('IMAGE_INVALID', { message: `what came as the blob ${digest} is ${actual}` });
  } finally {
    await file.close();
  }
}
