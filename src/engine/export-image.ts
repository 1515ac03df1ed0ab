import { MEMBER } from '../archive/members.ts';
import type { ArchiveWriter } from '../archive/types.ts';
import type { Container } from '../model/container.ts';
import type { EngineContext } from './context.ts';
import { saveImages } from './image/save.ts';

/**
 * Puts the container's base image into the archive, as an OCI archive without a name: the ID says which it is. Errors:
 * those of saving an image.
 */
export async function writeImageMember(
  ctx: EngineContext,
  { config }: Container,
  writer: ArchiveWriter,
): Promise<void> {
  const request = {
    images: [config.imageId],
    several: false,
    format: 'oci-archive',
    compress: false,
  } as const;
  await writer.addStream(MEMBER.image, (fd) => saveImages(ctx, request, { fd }));
}
