import assert from 'node:assert/strict';
import { test } from 'node:test';
import { assertRefused } from '../contract/support.ts';
import { generationOf, startPages, step } from '../fixtures/pages.ts';
import { type Sandbox, withSandbox } from '../fixtures/sandbox.ts';
import { assertWhole, flipBit, historyOf, tag } from './history-support.ts';

const inside = (box: Sandbox, name: string, script: string): Promise<string> =>
  box.ok(['exec', name, 'sh', '-c', script]);

/** What generation N of the container looks like from inside: its files, their absence, its volume, its /dev/shm. */
const LOOK = `cat /own /data/own /dev/shm/own; ls -d /kept-* /data/kept-* 2>/dev/null;
  [ -e /etc/hostname.gone ] || true; [ -e /bin/sh ] && [ ! -e /usr/bin/vi ] && echo no vi; true`;

const look = async (box: Sandbox, name: string): Promise<string[]> =>
  (await inside(box, name, LOOK)).split('\n').sort();

/** Five checkpoints of a container that goes on, each with other memory, files, deletions and volume. Gives their looks. */
async function fiveTags(box: Sandbox): Promise<Map<string, string[]>> {
  await startPages(box, 'c', { pages: 2000, part: 10, options: ['-v', 'data:/data'] });
  await inside(box, 'c', 'echo always > /always; touch /kept-0 /data/kept-0');
  const looks = new Map<string, string[]>();
  for (let generation = 1; generation <= 5; generation += 1) {
    await step(box, 'c', generation);
    await inside(box, 'c', `mv /kept-* /kept-${generation}; touch /data/kept-${generation}`);
    if (generation === 3) await inside(box, 'c', 'rm /usr/bin/vi /data/kept-1');
    looks.set(`t${generation}`, await look(box, 'c'));
    await tag(box, 'c', `t${generation}`);
  }
  return looks;
}

async function assertGoesBackTo(
  box: Sandbox,
  name: string,
  looks: ReadonlyMap<string, string[]>,
): Promise<void> {
  await box.ok(['stop', '-t', '0', 'c']);
  await box.ok(['container', 'restore', `c@${name}`]);
  assert.equal(await generationOf(box, 'c'), Number(name.slice(1)));
  assert.deepEqual(await look(box, 'c'), looks.get(name));
}

test('A container goes back to any of five checkpoints, in any order, also when some of them are removed', async () => {
  await withSandbox(
    async (box) => {
      const looks = await fiveTags(box);
      assert.deepEqual(
        (await historyOf(box)).map(({ Name, Parent }) => [Name, Parent]),
        [
          ['t1', ''],
          ['t2', 't1'],
          ['t3', 't2'],
          ['t4', 't3'],
          ['t5', 't4'],
        ],
      );
      for (const name of ['t3', 't1', 't5', 't2', 't4', 't4']) await assertGoesBackTo(box, name, looks);
      await box.ok(['checkpoint', 'rm', 'c@t3']);
      for (const name of ['t4', 't1', 't5', 't2']) await assertGoesBackTo(box, name, looks);
      await box.ok(['checkpoint', 'rm', 'c@t1']);
      for (const name of ['t5', 't2', 't4']) await assertGoesBackTo(box, name, looks);
      await box.ok(['checkpoint', 'rm', 'c@t5']);
      for (const name of ['t2', 't4']) await assertGoesBackTo(box, name, looks);
      await assertWhole(box, ['t2', 't4']);
      assert.deepEqual(
        (await historyOf(box)).map(({ Name, Parent }) => [Name, Parent]),
        [
          ['t2', ''],
          ['t4', 't2'],
        ],
      );
    },
    { images: ['perl'] },
  );
});

test('Without --leave-running the container stops, and both a plain restore and one by name go on from there', async () => {
  await withSandbox(
    async (box) => {
      await startPages(box, 'c', { pages: 500, part: 5, options: ['-v', 'data:/data'] });
      await step(box, 'c', 1);
      await box.ok(['container', 'checkpoint', '--tag', 'one', 'c']);
      assert.equal(
        await box.ok(['inspect', '--format', '{{.State.Status}}:{{.State.Checkpointed}}', 'c']),
        'exited:true',
      );
      await box.ok(['container', 'restore', 'c']);
      assert.equal(await generationOf(box, 'c'), 1);
      await step(box, 'c', 2);
      await box.ok(['container', 'checkpoint', '--tag', 'two', 'c']);
      await box.ok(['container', 'restore', 'c@one']);
      assert.equal(await generationOf(box, 'c'), 1);
      await box.ok(['container', 'checkpoint', '--tag', 'three', 'c']);
      // What a plain restore needs does not depend on the history.
      await box.ok(['checkpoint', 'rm', 'c@one', 'c@two', 'c@three']);
      assert.deepEqual(await historyOf(box), []);
      await box.ok(['container', 'restore', 'c']);
      assert.equal(await generationOf(box, 'c'), 1);
    },
    { images: ['perl'] },
  );
});

test('Other containers are made of a checkpoint while the first one runs, with volumes and addresses of their own', async () => {
  await withSandbox(
    async (box) => {
      await startPages(box, 'c', { pages: 500, part: 5, options: ['-v', '/data'] });
      await step(box, 'c', 1);
      await tag(box, 'c', 'one');
      await step(box, 'c', 2);
      await tag(box, 'c', 'two');
      await step(box, 'c', 3);
      const forks = [
        ['f1', 'one'],
        ['f2', 'two'],
        ['f3', 'one'],
      ] as const;
      await Promise.all(
        forks.map(([name, from]) => box.ok(['container', 'restore', '--name', name, `c@${from}`])),
      );
      await box.ok(['checkpoint', 'rm', 'c@one']);
      assert.equal(await generationOf(box, 'c'), 3);
      for (const [name, from] of forks) assert.equal(await generationOf(box, name), from === 'one' ? 1 : 2);
      await inside(box, 'f1', 'echo f1 > /data/whose');
      for (const name of ['c', 'f2', 'f3']) {
        assert.equal(await inside(box, name, 'ls /data'), 'own', `${name} has a volume of its own`);
      }
      const addresses = await Promise.all(
        ['c', 'f1', 'f2', 'f3'].map((name) =>
          box.ok(['inspect', '--format', '{{.NetworkSettings.IPAddress}}', name]),
        ),
      );
      assert.equal(new Set(addresses).size, 4, addresses.join(' '));
      await assertWhole(box, ['two']);
      await box.ok(['container', 'checkpoint', 'f2']);
      await box.ok(['container', 'restore', 'f2']);
      assert.equal(await generationOf(box, 'f2'), 2);
    },
    { images: ['perl'] },
  );
});

test('An archive of any checkpoint is as an export would have been', async () => {
  await withSandbox(
    async (box) => {
      const looks = await fiveTags(box);
      const archive = `${box.directory}/t2.tar.zst`;
      await box.ok(['checkpoint', 'export', 'c@t2', '-o', archive]);
      const last = `${box.directory}/t5.tar`;
      await box.ok(['checkpoint', 'export', 'c@t5', '-o', last, '--compress', 'none']);
      await box.ok(['rm', '-f', '-t', '0', 'c']);
      await box.ok(['volume', 'rm', 'data']);
      for (const [path, name] of [
        [archive, 't2'],
        [last, 't5'],
      ] as const) {
        await box.ok(['container', 'restore', '--trust', '--import', path]);
        assert.equal(await generationOf(box, 'c'), Number(name.slice(1)));
        assert.deepEqual(await look(box, 'c'), looks.get(name));
        await box.ok(['rm', '-f', '-t', '0', 'c']);
        await box.ok(['volume', 'rm', 'data']);
      }
    },
    { images: ['perl'] },
  );
});

test('verify names a flipped bit and what it hits; the next checkpoint is stored whole, and damage is not laundered', async () => {
  await withSandbox(
    async (box) => {
      await startPages(box, 'c', { pages: 500, part: 5 });
      for (const [index, name] of ['one', 'two', 'three'].entries()) {
        await step(box, 'c', index + 1);
        await tag(box, 'c', name);
      }
      await assertWhole(box, ['one', 'two', 'three']);
      await flipBit(box, 'two', 'checkpoint/pages-1.img');
      const found = await box.cryopod(['checkpoint', 'verify', 'c']);
      assert.equal(found.code, 125);
      assert.match(found.stdout, /c@two: checkpoint\/pages-1\.img: its content has changed; hits two, three/);
      assert.deepEqual(
        (await historyOf(box)).map(({ Status }) => Status),
        ['complete', 'damaged', 'damaged'],
      );
      const taken = await box.cryopod(['container', 'checkpoint', '-R', '--tag', 'four', 'c']);
      assert.equal(taken.code, 0, taken.stderr);
      assert.match(taken.stderr, /the checkpoint three is damaged, so that the new one is stored whole/);
      assert.equal((await historyOf(box)).at(-1)?.Parent, '');
      await assertRefused(
        box,
        ['container', 'restore', '--name', 'f', 'c@two'],
        /^Error: the checkpoint c@two is damaged: checkpoint\/pages-1\.img of two: its content has changed$/,
      );
      await box.ok(['checkpoint', 'rm', 'c@two']);
      const later = await box.cryopod(['checkpoint', 'verify', 'c']);
      assert.equal(later.code, 125);
      assert.match(later.stdout, /c@three: .*came from a damaged checkpoint.*; hits three/);
      await box.ok(['stop', '-t', '0', 'c']);
      const refused = await box.cryopod(['container', 'restore', 'c@three']);
      assert.equal(refused.code, 125);
      assert.match(refused.stderr, /the checkpoint c@three is damaged/);
      await box.ok(['container', 'restore', 'c@one']);
      assert.equal(await generationOf(box, 'c'), 1);
    },
    { images: ['perl'] },
  );
});

test('A parent whose metadata are damaged is found before the container is stopped, and told', async () => {
  await withSandbox(
    async (box) => {
      await startPages(box, 'c', { pages: 500, part: 5 });
      await tag(box, 'c', 'one');
      await flipBit(box, 'one', 'checkpoint/core-1.img');
      const taken = await box.cryopod(['container', 'checkpoint', '-R', '--tag', 'two', 'c']);
      assert.equal(taken.code, 0, taken.stderr);
      assert.match(taken.stderr, /checkpoint\/core-1\.img is not as it was written/);
      const [one, two] = await historyOf(box);
      assert.deepEqual([one?.Status, two?.Status, two?.Parent], ['damaged', 'complete', '']);
      await box.ok(['stop', '-t', '0', 'c']);
      await box.ok(['container', 'restore', 'c@two']);
      assert.equal(await generationOf(box, 'c'), 0);
    },
    { images: ['perl'] },
  );
});

test('Twenty checkpoints take no more than one and a half of one, plus the pages that changed', async () => {
  await withSandbox(
    async (box) => {
      const pages = 16_384;
      const part = 100;
      await startPages(box, 'c', { pages, part, options: ['-v', 'data:/data'] });
      await inside(box, 'c', 'head -c 4000000 /dev/urandom > /big; cp /big /data/big');
      const count = 20;
      for (let generation = 1; generation <= count; generation += 1) {
        await step(box, 'c', generation);
        await tag(box, 'c', `t${generation}`);
      }
      const all = await historyOf(box);
      const taken = all.reduce((sum, { OwnSize }) => sum + OwnSize, 0);
      const one = all[0]?.Size ?? 0;
      assert.ok(one > pages * 4096 + 8_000_000, `one takes ${one}`);
      const changed = count * Math.ceil(pages / part) * 4096;
      assert.ok(
        taken <= 1.5 * one + changed,
        `${taken} bytes for ${count}, ${one} for one, ${changed} changed`,
      );
      await box.ok(['stop', '-t', '0', 'c']);
      await box.ok(['container', 'restore', 'c@t11']);
      assert.equal(await generationOf(box, 'c'), 11);
    },
    { images: ['perl'] },
  );
});
