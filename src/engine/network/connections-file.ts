import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { ContainerConfig } from '../../model/container.ts';
import { errnoOf } from '../../model/errors.ts';
import { clearConnectionLocks, type LockedConnection } from '../../network/connection-locks.ts';
import { establishedConnections } from '../../network/connections.ts';
import { writeDurable } from '../../system/durable.ts';
import { bundleDirectory, type StorePaths } from '../../system/store-paths.ts';

const fileOf = (store: StorePaths, id: string): string =>
  join(bundleDirectory(store, id), 'locked-connections.json');

/** Before a dump of a container without a network namespace of its own: notes which connections CRIU will lock. */
export async function noteConnections(
  store: StorePaths,
  config: ContainerConfig,
  pid: number,
): Promise<void> {
  if (config.network.mode === 'bridge' || config.network.mode === 'none') return;
  const connections: LockedConnection[] = establishedConnections(pid).map(({ local, remote }) => ({
    local,
    remote,
  }));
  await writeDurable(fileOf(store, config.id), JSON.stringify(connections));
}

/** The checkpoint is given up, or its connections are back: whatever CRIU still locks of them is set free. Idempotent. */
export async function freeConnections(store: StorePaths, id: string): Promise<void> {
  try {
    await clearConnectionLocks(JSON.parse(await readFile(fileOf(store, id), 'utf8')) as LockedConnection[]);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return;
    throw error;
  }
  await rm(fileOf(store, id), { force: true });
}
