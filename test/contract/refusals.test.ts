import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmod, cp, mkdir, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { errorWords, openPodman, type Podman } from './podman.ts';
import {
  assertRefused,
  checkpoint,
  eventually,
  IMAGE,
  inside,
  inspect,
  RUNNING,
  restore,
  type Sandbox,
  start,
  startWithFlock,
  stateOf,
  withSandbox,
} from './support.ts';

/** A command line that must be refused, and podman's words for it. */
interface Refusal {
  readonly args: readonly string[];
  readonly says: string;
  /** podman 4.3 has other words or does something else: nothing to compare. */
  readonly differs?: true;
}

const CHECKPOINT_REFUSALS: readonly Refusal[] = [
  { args: [], says: 'you must provide at least one name or id' },
  { args: ['-a', '-l'], says: '--all and --latest cannot be used together' },
  { args: ['--all', 'up'], says: 'no arguments are needed with --all' },
  { args: ['--latest', 'up'], says: '--latest and containers cannot be used together' },
  { args: ['foobar'], says: 'no container with name or ID "foobar" found: no such container' },
  { args: ['up', 'foobar'], says: 'no container with name or ID "foobar" found: no such container' },
  { args: ['ended'], says: '"exited" is not running, cannot checkpoint: container state improper' },
  { args: ['made'], says: '"created" is not running, cannot checkpoint: container state improper' },
  { args: ['still'], says: '"paused" is not running, cannot checkpoint: container state improper' },
  {
    args: ['fleeting'],
    says: "cannot checkpoint containers that have been started with '--rm' unless '--export' is used",
  },
  { args: ['-c', 'zstd', 'up'], says: '--compress can only be used with --export' },
  { args: ['--ignore-rootfs', 'up'], says: '--ignore-rootfs can only be used with --export' },
  { args: ['--ignore-volumes', 'up'], says: '--ignore-volumes can only be used with --export' },
  {
    args: ['-c', 'x', '-e', '/nowhere/c.tar', 'up'],
    says: 'selected compression algorithm ("x") not supported. Please select one from: gzip, none, zstd',
  },
  {
    args: ['-e', '/nowhere/c.tar', 'ended'],
    says: '"exited" is not running, cannot checkpoint: container state improper',
  },
];

const RESTORE_REFUSALS: readonly Refusal[] = [
  { args: [], says: 'you must provide at least one name or id' },
  { args: ['-a', '-l'], says: '--all and --latest cannot be used together' },
  { args: ['-a', 'up'], says: '--all or --latest and containers cannot be used together', differs: true },
  { args: ['-l', 'up'], says: '--all or --latest and containers cannot be used together' },
  { args: ['foobar'], says: 'no such container or image: foobar' },
  {
    args: ['up'],
    says: 'container ID is running or paused, cannot restore: container state improper',
  },
  {
    args: ['still'],
    says: 'container ID is running or paused, cannot restore: container state improper',
  },
  {
    args: ['ended'],
    says: 'a complete checkpoint for this container cannot be found, cannot restore: container state improper',
    // podman names the file that it misses.
    differs: true,
  },
  ...['--ignore-rootfs', '--ignore-volumes', '--name=x', '--publish=80'].map((flag) => ({
    args: [flag, 'ended'],
    says: `${flag.split('=')[0]} can only be used with image or --import`,
    // podman 4.3 has "--import" alone.
    differs: true as const,
  })),
  {
    args: ['-i', '/nowhere/c.tar', '-n', 'x', '--tcp-established'],
    says: '--tcp-established cannot be used with --name',
    // podman 4.3 looks for the file first.
    differs: true,
  },
  {
    args: ['-i', '/nowhere/c.tar', '-n', 'a/b'],
    says: 'container name "a/b": names must match [a-zA-Z0-9][a-zA-Z0-9_.-]*: invalid argument',
    // podman 4.3 looks for the file first.
    differs: true,
  },
  { args: ['-i', '/nowhere/c.tar', '-a'], says: 'cannot use --import with --all or --latest', differs: true },
  { args: ['-i', '/nowhere/c.tar', '-l'], says: 'cannot use --import with --all or --latest', differs: true },
  {
    args: ['-i', '/nowhere/c.tar', 'up'],
    says: 'cannot use --import with positional arguments',
    differs: true,
  },
];

/** The same containers in both: running, paused, created, ended, and running with --rm. */
const CONTAINERS: readonly (readonly string[])[] = [
  ['run', '-d', '--name', 'up', '--network', 'none', IMAGE, 'sleep', '1000'],
  ['run', '-d', '--name', 'still', '--network', 'none', IMAGE, 'sleep', '1000'],
  ['pause', 'still'],
  ['create', '--name', 'made', '--network', 'none', IMAGE, 'true'],
  ['run', '--name', 'ended', '--network', 'none', IMAGE, 'true'],
  ['run', '-d', '--rm', '--name', 'fleeting', '--network', 'none', IMAGE, 'sleep', '1000'],
];

async function containersIn(box: Sandbox, podman: Podman | undefined): Promise<void> {
  for (const args of CONTAINERS) {
    await box.ok(args);
    const made = podman?.run(args);
    assert.equal(made?.code ?? 0, 0, made?.stderr);
  }
}

test('Refusals of checkpoint and restore (contract: "Checkpoint: refusals", "Restore: refusals")', async (t) => {
  await withSandbox(async (box) => {
    const podman = openPodman(box.archive, IMAGE);
    t.after(() => podman?.close());
    await containersIn(box, podman);
    const groups = [
      ['checkpoint', CHECKPOINT_REFUSALS],
      ['restore', RESTORE_REFUSALS],
    ] as const;
    for (const [verb, refusals] of groups) {
      for (const { args, says, differs } of refusals) {
        const line = ['container', verb, ...args];
        await t.test(`${line.join(' ')}: ${says}`, async () => {
          const { code, stdout, stderr } = await box.cryopod(line);
          assert.deepEqual([code, stdout, errorWords(stderr)], [125, '', `Error: ${says}`]);
          if (podman === undefined || differs) return;
          const reference = podman.run(line);
          assert.deepEqual([reference.code, errorWords(reference.stderr)], [125, `Error: ${says}`]);
        });
      }
    }
    await t.test('After all refusals the containers are as they were', async () => {
      assert.equal(await stateOf(box, 'up'), RUNNING);
      assert.equal(await stateOf(box, 'fleeting'), RUNNING);
      assert.equal(await stateOf(box, 'still'), 'paused:false:true:false');
      assert.equal((await box.ok(['ps', '-aq'])).split('\n').length, 5);
    });
  });
});

test('checkpointing and restoring a container requires root', () => {
  const program = join(import.meta.dirname, '../../bin/cryopod');
  for (const [verb, says] of [
    ['checkpoint', 'checkpointing a container requires root'],
    ['restore', 'restoring a container requires root'],
  ] as const) {
    // In a user namespace without a mapping nobody is root, and the program can be read wherever the checkout lies.
    const { status, stderr } = spawnSync('unshare', ['--user', program, 'container', verb, 'any'], {
      encoding: 'utf8',
    });
    assert.deepEqual([status, stderr.split('\n')[0]], [125, `Error: ${says}`]);
  }
});

test('configured runtime does not support checkpoint/restore: the container keeps running', async () => {
  await withSandbox(async (box) => {
    const runtime = join(box.directory, 'runc-without-criu');
    await writeFile(runtime, '#!/bin/sh\ncase " $* " in *" checkpoint "*) exit 1 ;; esac\nexec runc "$@"\n');
    await chmod(runtime, 0o755);
    await box.ok(['--runtime', runtime, 'run', '-d', '--name', 'up', IMAGE, 'sleep', '1000']);
    await assertRefused(
      box,
      ['container', 'checkpoint', 'up'],
      /^Error: configured runtime does not support checkpoint\/restore/,
    );
    assert.equal(await stateOf(box, 'up'), RUNNING);
  });
});

test('checkpoint/restore requires at least CRIU 31100: the container keeps running', async () => {
  await withSandbox(async (box) => {
    await start(box, 'up', 'sleep 1000');
    const tools = join(box.directory, 'tools');
    await mkdir(join(tools, 'bin'), { recursive: true });
    await cp(process.execPath, join(tools, 'node/bin/node'));
    await writeFile(join(tools, 'bin/criu'), '#!/bin/sh\necho Version: 3.10\n');
    await chmod(join(tools, 'bin/criu'), 0o755);
    const { code, stderr } = await box.cryopod(['container', 'checkpoint', 'up'], { CRYOPOD_TOOLS: tools });
    assert.equal(
      stderr.split('\n')[0],
      'Error: checkpoint/restore requires at least CRIU 31100, current version is 31000',
    );
    assert.equal(code, 125);
    assert.equal(await stateOf(box, 'up'), RUNNING);
  });
});

test('An established TCP connection without --tcp-established: fails, the container is still Up', async () => {
  await withSandbox(async (box) => {
    await start(box, 'server', 'nc -ll -p 7000 -e cat');
    const host = await inspect(box, 'server', '{{.NetworkSettings.IPAddress}}');
    await eventually('the server listens', async () =>
      (await inside(box, 'server', 'cat /proc/net/tcp /proc/net/tcp6')).includes(':1B58 '),
    );
    const client = connect(7000, host);
    try {
      const answer = new Promise<string>((resolve, reject) => {
        client.on('data', (data) => resolve(String(data)));
        client.on('error', reject);
      });
      client.write('hello\n');
      assert.equal(await answer, 'hello\n');
      await assertRefused(box, ['container', 'checkpoint', 'server'], /TCP connection/);
      assert.match(await box.ok(['ps', '--format', '{{.Names}} {{.Status}}']), /^server Up /);
    } finally {
      client.destroy();
    }
  });
});

test('A file lock without --file-locks: fails, the container is still Up', async () => {
  await withSandbox(async (box) => {
    await startWithFlock(box, 'locker', 'flock /lock sleep 1000');
    await eventually(
      'the lock is held',
      async () => (await box.cryopod(['exec', 'locker', 'flock', '-n', '/lock', 'true'])).code !== 0,
    );
    await assertRefused(box, ['container', 'checkpoint', 'locker'], /lock/);
    assert.match(await box.ok(['ps', '--format', '{{.Names}} {{.Status}}']), /^locker Up /);
    assert.equal(await checkpoint(box, '--file-locks', 'locker'), 'locker');
    assert.equal(await restore(box, '--file-locks', 'locker'), 'locker');
  });
});
