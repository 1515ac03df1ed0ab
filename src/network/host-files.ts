import { readFile } from 'node:fs/promises';
import { errnoOf } from '../model/errors.ts';
import { realResolvPath } from './container-files.ts';

async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}

/** The host's /etc/hosts, or nothing. */
export const readHostHosts = async (): Promise<string> => (await readIfThere('/etc/hosts')) ?? '';

/** The host's resolv.conf, with the real servers where it names only a local stub. */
export async function readHostResolv(): Promise<string> {
  const text = (await readIfThere('/etc/resolv.conf')) ?? '';
  const real = realResolvPath(text);
  return (real === undefined ? undefined : await readIfThere(real)) ?? text;
}
