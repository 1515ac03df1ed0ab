import { existsSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { openDatabase } from '../../src/state/database.ts';
import type { Sandbox } from '../fixtures/sandbox.ts';

/** What a fault point can be made to do. */
export const ACTIONS = ['kill', 'eio', 'enospc'] as const;

/** `status:checkpointed` of container c as a user sees it; empty without one. */
export const status = async (box: Sandbox): Promise<string> =>
  (
    await box.cryopod(['inspect', '--format', '{{.State.Status}}:{{.State.Checkpointed}}', 'c'])
  ).stdout.trim();

/** Operations that no command has settled. */
export function unfinished(box: Sandbox): unknown[] {
  const db = openDatabase(join(box.root, 'state.db'));
  try {
    return db.prepare('SELECT operation, subject FROM journal').all();
  } finally {
    db.close();
  }
}

/** Temporary files in the directories of containers. */
export async function leftovers(box: Sandbox): Promise<string[]> {
  const directory = join(box.root, 'containers');
  const all = existsSync(directory) ? await readdir(directory, { recursive: true }) : [];
  return all.filter((name) => name.includes('.tmp-') && !name.includes('merged'));
}
