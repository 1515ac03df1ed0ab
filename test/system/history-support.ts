import assert from 'node:assert/strict';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import type { Sandbox } from '../fixtures/sandbox.ts';

/** A line of `checkpoint ls --format json`. */
export interface Listed {
  readonly Name: string;
  readonly Parent: string;
  readonly Status: string;
  readonly Size: number;
  readonly OwnSize: number;
  readonly Automatic: boolean;
  readonly Message: string;
}

export const historyOf = async (box: Sandbox, name = 'c'): Promise<Listed[]> =>
  JSON.parse(await box.ok(['checkpoint', 'ls', '--format', 'json', name])) as Listed[];

/** Keeps a checkpoint while the container goes on. */
export const tag = (box: Sandbox, name: string, as: string): Promise<string> =>
  box.ok(['container', 'checkpoint', '--leave-running', '--tag', as, name]);

/** The history holds exactly these, and every stored object is as it was written. */
export async function assertWhole(box: Sandbox, names: readonly string[]): Promise<void> {
  assert.deepEqual(
    (await historyOf(box)).map(({ Name, Status }) => `${Name} ${Status}`),
    names.map((name) => `${name} complete`),
  );
  await box.ok(['checkpoint', 'verify', 'c']);
}

/** Changes one bit in the middle of a stored object. */
export async function flipBit(box: Sandbox, checkpoint: string, object: string): Promise<void> {
  const id = await box.ok(['inspect', '--format', '{{.Id}}', 'c']);
  const file = await open(join(box.root, 'containers', id, 'history', checkpoint, object), 'r+');
  try {
    const at = Math.floor((await file.stat()).size / 2);
    const byte = Buffer.alloc(1);
    await file.read(byte, 0, 1, at);
    byte.writeUInt8(byte.readUInt8() ^ 1);
    await file.write(byte, 0, 1, at);
  } finally {
    await file.close();
  }
}
