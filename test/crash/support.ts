import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { isFullId } from '../../src/model/ids.ts';
import { isHeld } from '../../src/network/hold.ts';
import { openDatabase } from '../../src/state/database.ts';
import { bundleDirectory, netnsPath } from '../../src/system/store-paths.ts';
import { eventually } from '../contract/support.ts';
import type { Sandbox } from '../fixtures/sandbox.ts';

/** What a fault point can be made to do. */
export const ACTIONS = ['kill', 'eio', 'enospc'] as const;

export const IMAGE = 'localhost/busybox:latest';

/**
 * The number is memory of the shell, and goes into its log alone: an open file that changes after the checkpoint would
 * rightly keep CRIU from going back to it.
 */
export const COUNT = 'i=0; while true; do i=$((i+1)); echo $i; sleep 0.05; done';

/** The same, holding a connection by both its ends. */
export const TALK = `nc -ll -p 9 -e cat & mkfifo f; exec 4<>f; (until nc 127.0.0.1 9 <f; do sleep 0.1; done) & ${COUNT}`;

export const RUN = ['run', '-d', '--name', 'c', '-p', '127.0.0.1:0:80', IMAGE, 'sh', '-c', COUNT];
export const REMOVE = ['rm', '-f', '-t', '0', '--ignore', 'c'];

/** `status:checkpointed` of container c as a user sees it; empty without one. */
export const status = async (box: Sandbox): Promise<string> =>
  (
    await box.cryopod(['inspect', '--format', '{{.State.Status}}:{{.State.Checkpointed}}', 'c'])
  ).stdout.trim();

/** What a statement finds in the database of the store. */
export function rows(box: Sandbox, statement: string): unknown[] {
  const db = openDatabase(join(box.root, 'state.db'));
  try {
    return db.prepare(statement).all();
  } finally {
    db.close();
  }
}

/** Operations that no command has settled. */
export const unfinished = (box: Sandbox): unknown[] => rows(box, 'SELECT operation, subject FROM journal');

/** Temporary files and directories in those of containers: of cryopod, and of CRIU. */
export async function leftovers(box: Sandbox): Promise<string[]> {
  const directory = join(box.root, 'containers');
  const all = existsSync(directory) ? await readdir(directory, { recursive: true }) : [];
  return all.filter((name) => /\.tmp-|\.criu\./.test(name) && !name.includes('merged'));
}

/** Nothing is under way, and nothing has been left of it. */
export async function assertSettled(box: Sandbox): Promise<void> {
  assert.deepEqual(unfinished(box), []);
  assert.deepEqual(await leftovers(box), []);
}

/** ID of the only container, without a command that would repair something. */
export function idOf(box: Sandbox): string {
  const [id, ...others] = readdirSync(join(box.root, 'containers')).filter(isFullId);
  assert.ok(id !== undefined && others.length === 0, 'there is one container');
  return id;
}

/** What the only container has written last, read from its log without a command that would repair something. */
export function lastLine(box: Sandbox): string {
  const log = readFileSync(join(bundleDirectory(box, idOf(box)), 'ctr.log'), 'utf8');
  // Its last line may be on its way.
  const [line = ''] = log.slice(0, log.lastIndexOf('\n')).split('\n').slice(-1);
  return line.split(' ').slice(3).join(' ');
}

export const lastCount = (box: Sandbox): number => Number(lastLine(box).split(' ').at(-1));

/** It runs with its packets flowing, is not frozen, and has lost nothing: it counts on, above `before`. */
export async function assertCountsOn(box: Sandbox, before = 0): Promise<void> {
  assert.equal(await status(box), 'running:false');
  const first = lastCount(box);
  await eventually(`it counts on, above ${before} and ${first}`, async () => {
    const now = lastCount(box);
    return now > before && now > first;
  });
  assert.equal(await isHeld(netnsPath(box, idOf(box))), false, 'its packets flow');
}
