import assert from 'node:assert/strict';
import { closeSync, openSync, readFileSync, readSync, writeFileSync, writeSync } from 'node:fs';
import { assertDelta, assertWhole, megabytes, pagesSize } from '../images.ts';
import { checkMemory, gone, goOn, MEMORY_MIB, reach } from '../memory.ts';
import { ok, type Scenario, start } from '../scenario.ts';

const BUNDLE = '/root/bundle';
const IMAGES = '/root/images';

/** A bundle in which runc runs memory.c. */
async function makeBundle(): Promise<void> {
  await ok(['mkdir', '-p', `${BUNDLE}/rootfs`, IMAGES]);
  await ok(['cp', '/work/memory', `${BUNDLE}/rootfs/`]);
  await ok(['runc', 'spec'], BUNDLE);
  const config = JSON.parse(readFileSync(`${BUNDLE}/config.json`, 'utf8'));
  config.process.terminal = false;
  config.process.args = ['/memory', `${MEMORY_MIB}`];
  config.root.readonly = false;
  writeFileSync(`${BUNDLE}/config.json`, JSON.stringify(config));
}

/** `--parent-path` is relative to the images. */
const checkpoint = (name: string, parent: string | undefined, options: readonly string[]): Promise<string> =>
  ok([
    ...[
      'runc',
      'checkpoint',
      '--image-path',
      `${IMAGES}/${name}`,
      '--work-path',
      `${IMAGES}/work`,
      ...options,
    ],
    ...(parent === undefined ? [] : ['--parent-path', `../${parent}`]),
    'r',
  ]);

const restore = (): Promise<void> =>
  start(
    ['runc', 'restore', '--detach', '--image-path', `${IMAGES}/final`, '--work-path', `${IMAGES}/work`, 'r'],
    BUNDLE,
  );

/** `--force` makes it no error if there is none. */
export const discardRuncContainer = (): Promise<string> => ok(['runc', 'delete', '--force', 'r']);

/** In the middle, where memory.c does not come by soon. */
function flipBit(path: string): void {
  const file = openSync(path, 'r+');
  const place = (MEMORY_MIB << 20) / 2;
  const byte = Buffer.alloc(1);
  readSync(file, byte, 0, 1, place);
  byte[0] = (byte[0] ?? 0) ^ 1;
  writeSync(file, byte, 0, 1, place);
  closeSync(file);
}

export const RUNC: readonly Scenario[] = [
  {
    name: 'runc dumps memory three times before a checkpoint, each against the last, and restores the chain',
    run: async (note) => {
      await makeBundle();
      await start(['runc', 'run', '--detach', 'r'], BUNDLE);
      await reach(1);
      const chain = ['pre1', 'pre2', 'pre3', 'final'];
      const begun: number[] = [];
      for (const [index, name] of chain.entries()) {
        begun.push(await goOn(5));
        await checkpoint(name, chain[index - 1], name === 'final' ? [] : ['--pre-dump']);
      }
      await gone();
      await restore();
      const ticks = await checkMemory((begun.at(-1) ?? 0) + 5);

      const sizes = chain.map((name) => pagesSize(`${IMAGES}/${name}`));
      note(`${sizes.map(megabytes).join(', ')}; every word is right`);
      const [whole = 0, ...deltas] = sizes;
      assertWhole(whole);
      for (const [index, delta] of deltas.entries())
        assertDelta(delta, (begun[index + 2] ?? ticks) - (begun[index] ?? 0));
      assert.equal(deltas.length, 3);
      await discardRuncContainer();
      await gone();
    },
  },
  {
    name: 'the check of the words notices one bit that is wrong in the first images of that chain',
    run: async (note) => {
      flipBit(`${IMAGES}/pre1/pages-1.img`);
      await restore();
      await assert.rejects(checkMemory(0), /1 of \d+ words are wrong/);
      note('1 word is wrong');
      await discardRuncContainer();
      await gone();
      await ok(['rm', '-r', BUNDLE, IMAGES]);
    },
  },
];
