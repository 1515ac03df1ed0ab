import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import {
  assertCounts,
  assertRefused,
  CHECKPOINTED,
  COUNT,
  checkpoint,
  IMAGE,
  inside,
  inspect,
  logLines,
  RUNNING,
  restore,
  start,
  stateOf,
  untilLines,
  withSandbox,
} from './support.ts';

test('One checkpoint image brings a container back under many names, by restore and by run', () =>
  withSandbox(async (box) => {
    await start(box, 'origin', `echo hot > /dev/shm/cache; ${COUNT}`);
    await untilLines(box, 'origin', 3);
    assert.equal(await checkpoint(box, '--create-image', 'warm', 'origin'), 'origin');
    assert.equal(await stateOf(box, 'origin'), CHECKPOINTED);
    const annotation = '{{index .Annotations "io.podman.annotations.checkpoint.name"}}';
    assert.equal(await box.ok(['inspect', '--type', 'image', '--format', annotation, 'warm']), 'origin');
    const frozenAt = (await logLines(box, 'origin')).length;

    const ids = [
      await restore(box, '--name', 'one', 'warm'),
      await box.ok(['run', '-d', '--name', 'two', 'localhost/warm:latest']),
    ];
    for (const [index, name] of ['one', 'two'].entries()) {
      assert.equal(await inspect(box, name, '{{.Id}}'), ids[index]);
      assert.equal(await stateOf(box, name), RUNNING);
      await untilLines(box, name, frozenAt + 3);
      assertCounts(await logLines(box, name));
      assert.equal(await inside(box, name, 'cat /dev/shm/cache'), 'hot');
    }
  }));

test('A container that became an image or an archive is restored from there by its own name', () =>
  withSandbox(async (box) => {
    const archive = join(box.directory, 'counter.tar.zst');
    await start(box, 'counter', `echo hot > /dev/shm/cache; ${COUNT}`);
    await untilLines(box, 'counter', 3);
    await checkpoint(box, '--create-image', 'warm', 'counter');
    assert.equal(await restore(box, 'counter'), 'counter');
    const atImage = (await logLines(box, 'counter')).length;
    await untilLines(box, 'counter', atImage + 3);

    await checkpoint(box, '--export', archive, 'counter');
    assert.equal(await restore(box, 'counter'), 'counter');
    await untilLines(box, 'counter', (await logLines(box, 'counter')).length + 3);
    assertCounts(await logLines(box, 'counter'));
    assert.equal(await inside(box, 'counter', 'cat /dev/shm/cache'), 'hot');

    await checkpoint(box, '--export', archive, 'counter');
    await rm(archive);
    const missing =
      'a complete checkpoint for this container cannot be found, cannot restore: container state improper';
    await assertRefused(box, ['container', 'restore', 'counter'], missing);
    assert.equal(await stateOf(box, 'counter'), CHECKPOINTED);
    assert.equal(existsSync(archive), false);
  }));

test('An image that holds no checkpoint is refused, and options for images without one', () =>
  withSandbox(async (box) => {
    const id = await box.ok(['inspect', '--type', 'image', '--format', '{{.Id}}', IMAGE]);
    await assertRefused(box, ['container', 'restore', IMAGE], `image is not a checkpoint: ${id}`);
    await start(box, 'counter', COUNT);
    for (const flag of ['--ignore-rootfs', '--ignore-volumes']) {
      await assertRefused(
        box,
        ['container', 'restore', flag, 'counter'],
        `${flag} can only be used with image or --import`,
      );
    }
    await assertRefused(
      box,
      ['container', 'restore', '--name', 'other', 'counter'],
      '--name can only be used with image or --import',
    );
  }));
