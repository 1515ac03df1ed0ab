import type { Container } from '../../model/container.ts';
import { listContainers } from '../../state/containers.ts';
import type { EngineContext } from '../context.ts';

/** The containers, running or not, that were made from each image, by the image's ID. */
export function imageUsers(ctx: EngineContext): Map<string, Container[]> {
  const users = new Map<string, Container[]>();
  for (const container of listContainers(ctx.db)) {
    const { imageId } = container.config;
    users.set(imageId, [...(users.get(imageId) ?? []), container]);
  }
  return users;
}
