import type { Container } from '../../model/container.ts';
import { listContainers } from '../../state/containers.ts';
import type { EngineContext } from '../context.ts';

/** Which containers use each volume, by the volume's name. */
export function volumeUsers(ctx: EngineContext): Map<string, Container[]> {
  const users = new Map<string, Container[]>();
  for (const container of listContainers(ctx.db)) {
    const sources = container.config.mounts
      .filter(({ type }) => type === 'volume')
      .map(({ source }) => source);
    for (const name of new Set(sources)) users.set(name, [...(users.get(name) ?? []), container]);
  }
  return users;
}
