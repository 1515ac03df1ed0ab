import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ContainerState } from '../../model/container.ts';
import { errnoOf } from '../../model/errors.ts';
import { writeDurable } from '../../system/durable.ts';

/** podman's name for it, also in archives. */
const FILE = 'network.status';

/** Writes the addresses that the frozen processes know beside their images. */
export const writeNetworkStatus = (checkpoint: string, networks: ContainerState['networks']): Promise<void> =>
  writeDurable(join(checkpoint, FILE), JSON.stringify(networks));

/** What {@link writeNetworkStatus} wrote; undefined where there is none. */
export async function readNetworkStatus(checkpoint: string): Promise<ContainerState['networks'] | undefined> {
  try {
    return JSON.parse(await readFile(join(checkpoint, FILE), 'utf8')) as ContainerState['networks'];
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}
