import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { cp, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { build } from 'esbuild';
import { type RunResult, run, runOk } from '../../src/system/process.ts';
import { imageArchive } from '../fixtures/images.ts';
import type { Outcome } from './guest/scenario.ts';

/** What came of one boot of the guest. */
export interface Lane {
  /** Why this machine cannot have the guest; then there are no outcomes. */
  readonly unavailable: string | undefined;
  readonly outcomes: readonly Outcome[];
  /** How the run ended, and the last lines of the console: for a scenario without an outcome. */
  readonly ending: string;
  /** Path of the console. It stays if anything has failed. */
  readonly console: string;
}

const REPOSITORY = join(import.meta.dirname, '../..');

/** Words that the names of the scenarios to play have in them; all are played where there are none. */
export const ONLY = process.env.CRYOPOD_LANE_ONLY ?? '';

/** Exit status of build.sh where the guest cannot be had (EX_UNAVAILABLE of sysexits.h). */
const UNAVAILABLE = 69;

/** Milliseconds: the build waits for others' builds; run.sh has a limit of its own. */
const BUILD_LIMIT = 300_000;
const CONSOLE_LINES = 40;

/**
 * Builds the guest where it is not there yet, boots it, and lets it play all scenarios with this checkout's cryopod.
 * `CRYOPOD_LANE_OUT` names a directory that gets the guest's console and results; else they are kept only on failure.
 */
export async function runLane(): Promise<Lane> {
  const built = await script(['build.sh'], BUILD_LIMIT);
  if (built.code === UNAVAILABLE)
    return {
      unavailable: built.stderr.trim().split('\n').at(-1) ?? '',
      outcomes: [],
      ending: '',
      console: '',
    };
  assert.equal(built.code, 0, 'test/lane/build.sh builds the guest');
  const guest = built.stdout.trim();
  const directory = await mkdtemp(join(tmpdir(), 'cryopod-lane-'));
  const out = process.env.CRYOPOD_LANE_OUT ?? join(directory, 'out');
  const tree = join(directory, 'tree');
  await makeTree(tree, guest);
  const { code, stderr } = await script(['run.sh', guest, tree, out]);
  await rm(tree, { recursive: true });
  const console = join(out, 'console.log');
  const ending = `${stderr}${endOf(console)}`;
  const lane = { unavailable: undefined, outcomes: readOutcomes(out), ending, console };
  if (code === 0) await rm(directory, { recursive: true });
  return lane;
}

/** Runs a script of this directory with what it says shown at once. */
const script = ([name = '', ...args]: readonly string[], timeout?: number): Promise<RunResult> =>
  run(['sh', join(import.meta.dirname, name), ...args], {
    timeout,
    env: environment(),
    onSpawn: (child) => child.stderr?.pipe(process.stderr, { end: false }),
  });

/** The settings of the scripts, as far as the caller has them. */
const environment = (): Record<string, string> =>
  Object.fromEntries(
    ['CRYOPOD_TOOLS', 'CRYOPOD_LANE_SUITE', 'LANE_LIMIT'].flatMap((name) => {
      const value = process.env[name];
      return value === undefined ? [] : [[name, value]];
    }),
  );

/** What the guest gets: cryopod as a bundle, the scenarios as one file, the program memory, and the image with it. */
async function makeTree(tree: string, guest: string): Promise<void> {
  const cryopod = join(tree, 'cryopod');
  await mkdir(join(cryopod, 'node_modules'), { recursive: true });
  await runOk(
    ['sh', join(REPOSITORY, 'scripts/node.sh'), join(REPOSITORY, 'scripts/build.ts')],
    'bundle cryopod',
  );
  for (const part of ['bin', 'dist', 'node_modules/koffi', 'node_modules/@koromix'])
    await cp(join(REPOSITORY, part), join(cryopod, part), { recursive: true, preserveTimestamps: true });
  await build({
    entryPoints: [join(import.meta.dirname, 'guest/main.ts')],
    outfile: join(tree, 'scenarios.mjs'),
    bundle: true,
    platform: 'node',
    target: 'node24',
    format: 'esm',
    logLevel: 'warning',
  });
  await cp(join(guest, 'memory'), join(tree, 'memory'));
  await cp(await imageArchive('busybox'), join(tree, 'image.tar'));
  await runOk(
    ['tar', '--append', '--file', join(tree, 'image.tar'), '--directory', guest, './memory'],
    'add memory',
  );
  await writeFile(join(tree, 'only'), ONLY);
  await writeFile(
    join(tree, 'run'),
    'exec "$CRYOPOD_TOOLS/node/bin/node" scenarios.mjs /out/results.json "$(cat only)"\n',
  );
}

function readOutcomes(out: string): Outcome[] {
  const path = join(out, 'results.json');
  return existsSync(path) ? JSON.parse(readFileSync(path, 'utf8')) : [];
}

function endOf(console: string): string {
  const lines = existsSync(console) ? readFileSync(console, 'utf8').split('\n') : [];
  return lines.slice(-CONSOLE_LINES).join('\n');
}
