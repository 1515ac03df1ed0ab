import { readFileSync } from 'node:fs';
import { errnoOf } from '../model/errors.ts';

/** Fields of os-release(5), such as ID and VERSION_ID; none where the host has no such file. */
export function osRelease(): Map<string, string> {
  try {
    const lines = readFileSync('/etc/os-release', 'utf8').matchAll(/^(\w+)=(.*)$/gm);
    return new Map(
      [...lines].map(([, name = '', value = '']) => [name, value.replace(/^(["'])(.*)\1$/, '$2')]),
    );
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return new Map();
    throw error;
  }
}
