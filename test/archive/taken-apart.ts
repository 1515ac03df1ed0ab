import assert from 'node:assert/strict';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { runOk } from '../../src/system/process.ts';
import { imageName } from '../fixtures/images.ts';
import type { Sandbox } from '../fixtures/sandbox.ts';

/** What the tests change of config.dump. */
export interface Config {
  mounts: { type: string; source: string; destination: string; options: string[] }[];
  devices: unknown[];
  annotations: Record<string, string>;
  readonly security: { privileged: boolean; capAdd: string[]; noNewPrivileges: boolean };
}

interface Dump {
  cryopod?: { readonly config: Config };
}

export interface Unpacked {
  readonly directory: string;
  readonly pack: () => Promise<string>;
  readonly edit: (change: (config: Config) => void) => Promise<void>;
  /** Makes it look like podman's: all is read from the fields of podman's, and from spec.dump. */
  readonly asPodman: () => Promise<void>;
}

interface Choice {
  readonly run?: readonly string[];
  readonly checkpoint?: readonly string[];
  readonly program?: readonly string[];
}

/** Exports a container with a changed file and a volume, removes all of it, and takes the archive apart. */
export async function takenApart(
  box: Sandbox,
  { run = [], checkpoint = [], program = ['sleep', '1000'] }: Choice = {},
): Promise<Unpacked> {
  const archive = join(box.directory, 'c.tar');
  const directory = join(box.directory, 'apart');
  const options = ['--network', 'none', '-v', 'data:/data', ...run];
  await box.ok(['run', '-d', '--name', 'c', ...options, imageName('busybox'), ...program]);
  await box.ok(['exec', 'c', 'sh', '-c', 'echo new >/new; echo kept >/data/file']);
  await box.ok(['container', 'checkpoint', '-c', 'none', '-e', archive, ...checkpoint, 'c']);
  await box.ok(['rm', '-v', 'c']);
  await box.ok(['volume', 'rm', '--all']);
  await mkdir(directory);
  await runOk(['tar', '-xf', archive, '-C', directory], 'take the archive apart');
  await rm(join(directory, 'cryopod.sums'));
  const path = join(directory, 'config.dump');
  const change = async (work: (dump: Dump) => void): Promise<void> => {
    const dump = JSON.parse(await readFile(path, 'utf8')) as Dump;
    work(dump);
    await writeFile(path, JSON.stringify(dump));
  };
  return {
    directory,
    pack: async () => {
      await runOk(['tar', '-cf', archive, '-C', directory, '.'], 'pack the archive');
      return archive;
    },
    edit: (work) =>
      change(({ cryopod }) => {
        assert.ok(cryopod !== undefined);
        work(cryopod.config);
      }),
    asPodman: () =>
      change((dump) => {
        delete dump.cryopod;
      }),
  };
}

export async function assertNothingMade(box: Sandbox): Promise<void> {
  assert.equal(await box.ok(['ps', '-aq']), '');
  assert.equal(await box.ok(['volume', 'ls', '-q']), '');
}
