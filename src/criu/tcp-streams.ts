import { open, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { iterateImage } from './images.ts';
import { placesOf } from './protobuf.ts';

/** CRIU criu/image-desc.c. */
const STREAM = /^tcp-stream-[0-9a-f]+\.img$/;

/** IDs of CRIU images/tcp-stream.proto: the window that the other end has offered, and the widest that it ever did. */
const SND_WND = 14;
const MAX_WINDOW = 15;

/** The entry is far shorter; after it comes what is queued. */
const HEAD_BYTES = 4096;

/**
 * Makes restored connections find the size of their segments again. CRIU connects a socket before it tells it the size that
 * both ends have agreed on (soccr/soccr.c, libsoccr_set_sk_data_noq), and the kernel, which knows nothing better then, cuts
 * what is sent to 536 bytes with options until the other end offers a wider window than any before (net/ipv4/tcp_input.c,
 * tcp_ack_update_window). So the images of a dump get half the window that was offered: the first answer offers more.
 *
 * The files keep their length; a few bytes of each are written at once. Errors: IMAGE_INVALID, those of the system.
 */
export async function narrowWindows(images: string): Promise<void> {
  for (const name of await readdir(images)) if (STREAM.test(name)) await narrowWindow(join(images, name));
}

async function narrowWindow(path: string): Promise<void> {
  const file = await open(path, 'r+');
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(HEAD_BYTES), 0, HEAD_BYTES, 0);
    const { done, value: entry } = iterateImage(buffer.subarray(0, bytesRead), path).entries.next();
    if (done === true) return;
    const places = placesOf(entry);
    const offered = places.get(SND_WND);
    const widest = places.get(MAX_WINDOW);
    if (offered === undefined || widest === undefined) return;
    const window = offered.value / 2n;
    for (const { at, length } of [offered, widest]) putPadded(entry.subarray(at, at + length), window);
    await file.write(entry, 0, entry.length, entry.byteOffset - buffer.byteOffset);
  } finally {
    await file.close();
  }
}

/** A varint of a length that may be more than it needs: readers take zeros above. */
function putPadded(bytes: Uint8Array, value: bigint): void {
  let rest = value;
  for (let index = 0; index < bytes.length; index += 1, rest >>= 7n) {
    bytes[index] = Number(rest & 0x7fn) | (index === bytes.length - 1 ? 0 : 0x80);
  }
}
