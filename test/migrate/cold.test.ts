import assert from 'node:assert/strict';
import { stat } from 'node:fs/promises';
import { test } from 'node:test';
import { processStat } from '../../src/system/procfs.ts';
import { eventually } from '../contract/support.ts';
import { IMAGE } from '../crash/support.ts';
import { processesOf } from '../fixtures/memory-program.ts';
import { via, withPair } from '../fixtures/moving.ts';
import type { Sandbox } from '../fixtures/sandbox.ts';

const MOVE = ['migrate', '--mode', 'cold'];

const names = async (box: Sandbox): Promise<string> =>
  (await box.ok(['ps', '--all', '--format', '{{.Names}}:{{.State}}', '--sort', 'names']))
    .split('\n')
    .join(' ');

const VOLUME = [
  'run',
  '-d',
  '--name',
  'v',
  '--network',
  'none',
  '-v',
  'data:/data',
  'localhost/busybox:latest',
];
/** It answers what it holds in memory, in its volume and in its root file system. */
const HOLDS =
  'x=memory; echo volume > /data/f; echo root > /f; rm /etc/passwd; while sleep 0.1; do echo $x > /x; done';

test('a cold migration moves memory, files, volumes and the image, and leaves nothing behind', async () => {
  await withPair(async ({ one, other }) => {
    await one.ok([...VOLUME, 'sh', '-c', HOLDS]);
    await eventually('it holds all', async () => (await one.cryopod(['exec', 'v', 'cat', '/x'])).code === 0);
    await other.ok(['rmi', 'localhost/busybox:latest']);

    const looked = await one.ok([...MOVE, '--dry-run', ...via(other), 'v', 'c']);
    assert.match(
      looked,
      /v can be migrated\.[\s\S]*v at the target can be migrated\.[\s\S]*c at the target can be migrated\./,
    );
    assert.equal(await names(other), '', 'a dry run creates nothing');

    const both = await one.ok([...MOVE, '--compress', 'zstd', '--jobs', '2', ...via(other), 'v', 'c']);
    assert.match(both, /^v runs at the target: down for .* sent \(cold: .*\)\nc runs at the target: .*$/);
    assert.equal(await names(one), '');
    assert.equal(await one.ok(['volume', 'ls', '--quiet']), '', 'the volume has moved, too');
    assert.equal(await names(other), 'c:running v:running');
    await other.ok(['exec', 'v', 'rm', '/x']);
    await eventually(
      'its memory is there',
      async () => (await other.cryopod(['exec', 'v', 'cat', '/x'])).code === 0,
    );
    assert.equal(await other.ok(['exec', 'v', 'cat', '/x', '/data/f', '/f']), 'memory\nvolume\nroot');
    assert.notEqual(
      (await other.cryopod(['exec', 'v', 'cat', '/etc/passwd'])).code,
      0,
      'what was deleted is not back',
    );

    const events = (await other.ok([...MOVE, '--format', 'json', '--bwlimit', '100m', ...via(one), 'v']))
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    assert.deepEqual([events.at(-1)?.event, events.at(-1)?.mode], ['moved', 'cold']);
    assert.ok(events.some(({ event, phase }) => event === 'progress' && phase === 'send'));
    await other.ok([...MOVE, '--keep-source', '--name', 'copy', ...via(one), 'c']);
    assert.equal(await names(other), 'c:exited');
    assert.equal(await names(one), 'copy:running v:running');
  });
});

test('what the target lacks of an image goes before the freeze, and nothing that it has', async () => {
  await withPair(async ({ one, other }) => {
    const image = (await stat(one.archive)).size;
    const move = async (): Promise<number> => {
      await one.ok(['run', '-d', '--name', 'm', '--network', 'none', IMAGE, 'sleep', '1000']);
      const words = [...MOVE, '--compress', 'none', '--format', 'json', ...via(other), 'm'];
      const moved = JSON.parse((await one.ok(words)).split('\n').at(-1) ?? '') as { bytesSent: number };
      await other.ok(['rm', '-f', '-t', '0', 'm']);
      return moved.bytesSent;
    };
    // Each store has made an image of its own of the same layer.
    const config = await move();
    assert.ok(config < image, `${config} bytes went, and the layer has ${image}`);
    await other.ok(['rmi', '--all']);
    const whole = await move();
    assert.ok(whole > image, `${whole} bytes went, and the layer has ${image}`);

    await other.ok(['rmi', '--all']);
    const moving = one.cryopod([...MOVE, ...via(other, { env: ['CRYOPOD_FAULT=image.come:stop'] }), 'c']);
    const receiver = (): number | undefined =>
      processesOf(other, 'receive').find((pid) => processStat(pid)?.state === 'T');
    await eventually('the image is there', async () => receiver() !== undefined);
    const before = (await one.ok(['logs', 'c'])).length;
    await eventually('it runs meanwhile', async () => (await one.ok(['logs', 'c'])).length > before);
    process.kill(receiver() ?? 0, 'SIGCONT');
    assert.equal((await moving).code, 0);
    assert.equal(await names(other), 'c:running');
  });
});

test('what cannot move is refused before anything is frozen, in words of both hosts', async () => {
  await withPair(async ({ one, other }) => {
    const mount = ['-v', `${one.directory}:/mnt:ro`, 'localhost/busybox:latest', 'sleep', '100'];
    await one.ok(['run', '-d', '--name', 'b', '--network', 'none', ...mount]);
    const bound = await one.cryopod([...MOVE, ...via(other), 'b']);
    assert.match(
      bound.stderr,
      /the target: .* mounts .* of the host at \/mnt.*; b goes on running\nHint: .*receive --trust/,
    );
    await other.ok([
      'run',
      '-d',
      '--name',
      'c',
      '--network',
      'none',
      'localhost/busybox:latest',
      'sleep',
      '100',
    ]);
    const taken = await one.cryopod([...MOVE, ...via(other), 'c']);
    assert.match(
      taken.stderr,
      /the target: .*the container name "c" is already in use.*; c goes on running\n/,
    );
    await one.ok([...VOLUME, 'sleep', '1000']);
    await other.ok(['volume', 'create', 'data']);
    const volume = await one.cryopod([...MOVE, ...via(other), 'v']);
    assert.match(
      volume.stderr,
      /the target: volume with name data already exists; v goes on running\nHint: Remove it there if nobody needs it: cryopod volume rm data\n/,
    );
    await other.ok(['volume', 'rm', 'data']);
    const named = await one.cryopod([...MOVE, '--name', 'a/b', ...via(other), 'v']);
    assert.match(named.stderr, /the target: container name "a\/b": names must match .*; v goes on running\n/);
    await one.ok(['rm', '-f', '-t', '0', 'v']);
    const missing = await one.cryopod([...MOVE, '--via', 'false', 'c']);
    assert.match(missing.stderr, /the link to the target has ended: false ended with exit status 1/);
    const shell = await one.cryopod([...MOVE, '--via', 'echo Welcome', 'c']);
    assert.match(shell.stderr, /not cryopod's.*\nHint: .*prints at login/);
    for (const [words, refusal] of [
      [['c'], /needs containers and a host/],
      [['--mode', 'warm', 'c', 'host'], /invalid --mode "warm"/],
      [['--bwlimit', 'x', 'c', 'host'], /invalid --bwlimit "x"/],
      [['--here', 'c', 'host'], /--here can only be used with --settle/],
      [['--settle', 'c'], /was not handed over/],
    ] as const) {
      assert.match((await one.cryopod(['migrate', ...words])).stderr, refusal);
    }
    assert.equal(await names(one), 'b:running c:running');
    await other.ok(['rm', '-f', '-t', '0', 'c']);
  });
});
