import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Sandbox, withSandbox } from '../fixtures/sandbox.ts';
import { lastNumber } from './last-number.ts';

const IMAGE = 'localhost/busybox:latest';
const COUNT = 'i=0; while true; do i=$((i+1)); echo $i; sleep 0.1; done';
const start = (
  box: Sandbox,
  name: string,
  program: string,
  options: readonly string[] = [],
): Promise<string> => box.ok(['run', '-d', '--name', name, ...options, IMAGE, 'sh', '-c', program]);

test('many containers are frozen and thawed several at a time, and each goes on where it was', async () => {
  await withSandbox(async (box) => {
    const ids: string[] = [];
    for (let index = 0; index < 12; index += 1) ids.push(await start(box, `box-${index}`, COUNT));
    const before = await Promise.all(ids.map((id) => lastNumber(box, id)));
    for (const jobs of ['1', '5']) {
      assert.deepEqual((await box.ok(['container', 'checkpoint', '--all', '--jobs', jobs])).split('\n'), ids);
      assert.deepEqual((await box.ok(['container', 'restore', '--all', '--jobs', jobs])).split('\n'), ids);
    }
    for (const [index, id] of ids.entries()) assert.ok((await lastNumber(box, id)) > (before[index] ?? 0));
  });
});

test('one failure does not stop the others, and results and errors come in the order that was asked for', async () => {
  await withSandbox(async (box) => {
    const names = ['box-0', 'rm-1', 'box-2', 'rm-3', 'box-4', 'box-5'];
    // Of containers that remove themselves, no checkpoint could stay.
    for (const name of names) await start(box, name, COUNT, name.startsWith('rm') ? ['--rm'] : []);
    const { code, stdout, stderr } = await box.cryopod(['container', 'checkpoint', '--jobs', '3', ...names]);
    assert.equal(code, 125);
    assert.deepEqual(
      stdout.trim().split('\n'),
      names.filter((name) => name.startsWith('box')),
    );
    const errors = stderr.split('\n').filter((line) => line.startsWith('Error: '));
    assert.deepEqual(
      errors.map((line) => /'--rm'/.test(line)),
      [true, true],
    );
    const states = await box.ok(['ps', '-a', '--format', '{{.Names}} {{.State}}', '--sort', 'names']);
    const running = states.split('\n').filter((line) => line.endsWith(' running'));
    assert.deepEqual(running, ['rm-1 running', 'rm-3 running']);
    const statistics = await box.ok(['container', 'restore', '--all', '--jobs', '3', '--print-stats']);
    const { container_statistics: each } = JSON.parse(statistics) as {
      container_statistics: { Id: string }[];
    };
    const ids = await Promise.all(
      names
        .filter((name) => name.startsWith('box'))
        .map((name) => box.ok(['inspect', '--format', '{{.Id}}', name])),
    );
    assert.deepEqual(
      each.map(({ Id }) => Id),
      ids,
    );
  });
});

test('a container whose namespace another one joins is thawed before it', async () => {
  await withSandbox(async (box) => {
    await start(box, 'first', COUNT);
    await start(box, 'second', COUNT, ['--network', 'container:first']);
    const ids = await box.ok(['ps', '-q', '--no-trunc', '--sort', 'names']);
    assert.equal(await box.ok(['container', 'checkpoint', '--all']), ids);
    assert.equal(await box.ok(['container', 'restore', '--all', '--jobs', '8']), ids);
  });
});

test('at least one container at a time', async () => {
  await withSandbox(async (box) => {
    const { code, stderr } = await box.cryopod(['container', 'checkpoint', '--all', '--jobs', '0']);
    assert.equal(code, 125);
    assert.match(stderr, /^Error: invalid --jobs 0: must be at least 1$/m);
  });
});
