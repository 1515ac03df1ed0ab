import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { message } from '../../src/criu/view/testing.ts';
import { withSandbox } from '../fixtures/sandbox.ts';
import { edited, editImage, type Field, fieldsOf } from './image-edits.ts';
import { assertNothingMade, takenApart, type Unpacked } from './taken-apart.ts';

/** cgroup.proto: lists of an image, and fields of their entries. */
const SETS = 1;
const CONTROLLERS = 2;
const PERMISSIONS: Field = [
  3,
  message([
    [1, 0o644],
    [2, 0],
    [3, 0],
  ]),
];

const textIn = (entry: Uint8Array, number: number): string =>
  Buffer.from((fieldsOf(entry).find(([id]) => id === number)?.[1] ?? '') as Uint8Array).toString();

/** Gives the controller a directory more, with one file in it. */
const withDirectory = (apart: Unpacked, controller: string, file: string): Promise<void> =>
  editImage(apart, /^cgroup\.img$/, (entries) =>
    entries.map((entry) =>
      message(
        fieldsOf(entry).map(([id, value]): Field => {
          if (id !== CONTROLLERS || textIn(value as Uint8Array, 1) !== controller) return [id, value];
          const property = message([[1, Buffer.from(file)], [2, Buffer.from('written')], PERMISSIONS]);
          const directory = message([
            [1, Buffer.from('cryopod-test-stray')],
            [3, property],
          ]);
          return [id, message([...fieldsOf(value as Uint8Array), [2, directory]])];
        }),
      ),
    ),
  );

test('An archive cannot make CRIU write to a file of the host by the name of a cgroup file, not even with --trust', async () => {
  await withSandbox(async (box) => {
    const apart = await takenApart(box);
    const canary = join(box.directory, 'canary');
    await writeFile(canary, 'untouched');
    await withDirectory(apart, 'freezer', `${'../'.repeat(40)}${canary.slice(1)}`);
    const archive = await apart.pack();
    const { code, stderr } = await box.cryopod(['container', 'restore', '--trust', '-i', archive]);
    assert.equal(await readFile(canary, 'utf8'), 'untouched');
    assert.equal(code, 125);
    assert.match(stderr, /cgroup\.img has a name that no cgroup has: "\.\.\//);
    await assertNothingMade(box);
  });
});

test("Images that put processes into the host's cgroups, or make others, are refused without --trust", async () => {
  await withSandbox(async (box) => {
    const apart = await takenApart(box);
    await withDirectory(apart, 'freezer', 'notify_on_release');
    const made = await box.cryopod(['container', 'restore', '-i', await apart.pack()]);
    assert.equal(made.code, 125);
    assert.match(
      made.stderr,
      /cgroups of the host that are not its own: freezer:\/cryopod-test-stray\nHint: .*--trust/,
    );
    await editImage(apart, /^cgroup\.img$/, (entries) =>
      entries.map((entry) =>
        edited(entry, [SETS], (fields) =>
          fields.map(([id, value]): Field => {
            if (id !== 2 || textIn(value as Uint8Array, 1) !== 'devices') return [id, value];
            return [
              id,
              message([
                [1, Buffer.from('devices')],
                [2, Buffer.from('/')],
              ]),
            ];
          }),
        ),
      ),
    );
    const moved = await box.cryopod(['container', 'restore', '-i', await apart.pack()]);
    assert.equal(moved.code, 125);
    assert.match(moved.stderr, /cgroups of the host that are not its own: devices:\/, /);
    await assertNothingMade(box);
  });
});
