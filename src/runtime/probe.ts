import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, statSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { errnoOf, fail } from '../model/errors.ts';
import { writeDurable } from '../system/durable.ts';
import { run } from '../system/process.ts';
import type { StorePaths } from '../system/store-paths.ts';
import { flavorOf } from './flavor.ts';
import type { RuntimeProbe } from './types.ts';

/** A changed binary changes this; the cache file is named by it. */
function identity(path: string): string {
  const { mtimeMs, size } = statSync(path);
  return createHash('sha256').update(`2\n${path}\n${mtimeMs}\n${size}`).digest('hex').slice(0, 32);
}

/**
 * What the runtime's binary is and can do. Runs it at most once for each version of the binary: the answer is kept
 * below `runroot`. Fails with RUNTIME_UNSUPPORTED when the binary does not run.
 */
export async function probeRuntime(store: StorePaths, path: string): Promise<RuntimeProbe> {
  const cache = join(store.runroot, 'probes', `runtime-${identity(path)}.json`);
  const known = readCache(cache);
  if (known !== undefined) return known;
  const probe = await askRuntime(path);
  mkdirSync(dirname(cache), { recursive: true, mode: 0o700 });
  await writeDurable(cache, JSON.stringify(probe));
  return probe;
}

function readCache(path: string): RuntimeProbe | undefined {
  try {
    // Written by this module into a directory of root's alone.
    return JSON.parse(readFileSync(path, 'utf8')) as RuntimeProbe;
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}

async function askRuntime(path: string): Promise<RuntimeProbe> {
  const [version, help] = await Promise.all([run([path, '--version']), run([path, 'checkpoint', '--help'])]);
  if (!version.ok) {
    fail('RUNTIME_UNSUPPORTED', {
      message: `the OCI runtime ${path} does not run: ${version.stderr.trim()}`,
    });
  }
  const versionText = version.stdout.split('\n')[0] ?? '';
  return {
    name: basename(path),
    path,
    version: /\d+(\.\d+)+/.exec(versionText)?.[0] ?? '0',
    versionText,
    checkpoint: flavorOf(path).checkpoints(version.stdout, help.ok),
    checkpointFlags: help.stdout.match(/--[a-z][a-z-]+/g) ?? [],
  };
}
