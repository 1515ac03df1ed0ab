import { mkdir, readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { errnoOf } from '../model/errors.ts';
import type { NetworkStatus } from '../model/network.ts';
import { writeDurable } from '../system/durable.ts';
import { bootId } from '../system/procfs.ts';
import { netavarkDirectory, type StorePaths } from '../system/store-paths.ts';
import type { NetavarkRequest } from './netavark.ts';

/** What was, or was about to be, set up for a container; written before netavark runs, so that a crash loses nothing. */
export interface SetupRecord {
  readonly request: NetavarkRequest;
  /** netavark's answer; missing until the setup is complete. */
  readonly networks?: Readonly<Record<string, NetworkStatus>> | undefined;
  /** False when it is from before a reboot: nothing of it exists any more. */
  readonly current: boolean;
}

export const recordPath = (store: StorePaths, id: string): string =>
  join(netavarkDirectory(store), 'containers', `${id}.json`);

export async function writeRecord(store: StorePaths, record: Omit<SetupRecord, 'current'>): Promise<void> {
  const path = recordPath(store, record.request.id);
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  await writeDurable(path, JSON.stringify({ boot: bootId(), ...record }));
}

export async function readRecord(store: StorePaths, id: string): Promise<SetupRecord | undefined> {
  try {
    const { boot, request, networks } = JSON.parse(await readFile(recordPath(store, id), 'utf8'));
    return { request, networks, current: boot === bootId() };
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}
