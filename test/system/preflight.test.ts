import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { test } from 'node:test';
import { waitFor } from '../../src/system/clock.ts';
import { LIMIT_MS } from '../fixtures/limit.ts';
import { type Sandbox, withSandbox } from '../fixtures/sandbox.ts';

const CHECKPOINT = ['container', 'checkpoint', '--dry-run'];
const RESTORE = ['container', 'restore', '--dry-run'];

const start = (box: Sandbox, name: string, script: string, options: readonly string[] = []) =>
  box.ok(['run', '-d', '--name', name, ...options, 'localhost/busybox:latest', 'sh', '-c', script]);

/** What a preflight must leave as it is. */
const stateOf = (box: Sandbox, name: string): Promise<string> =>
  box.ok(['inspect', '--format', '{{.State.Status}} {{.State.Pid}} {{.State.Checkpointed}}', name]);

interface Report {
  readonly works: boolean;
  readonly containers: readonly {
    readonly input: string;
    readonly findings: readonly { readonly check: string; readonly level: string; readonly hint?: string }[];
  }[];
}

async function report(box: Sandbox, args: readonly string[]): Promise<Report> {
  const { stdout } = await box.cryopod([...args, '--format', 'json']);
  return JSON.parse(stdout) as Report;
}

const obstacles = ({ containers }: Report): string[] =>
  containers.flatMap(({ findings }) =>
    findings.filter(({ level }) => level === 'obstacle').map(({ check }) => check),
  );

test('a dry run says that a checkpoint would work, and leaves the container as it is', async () => {
  await withSandbox(async (box) => {
    await start(box, 'c', 'while :; do sleep 1; done');
    const before = await stateOf(box, 'c');
    const { code, stdout, stderr } = await box.cryopod([...CHECKPOINT, 'c']);
    assert.equal(code, 0);
    assert.equal(stderr, '');
    assert.match(stdout, /^ok +state +running$/m);
    assert.match(stdout, /^ok +runtime +runc$/m);
    assert.match(stdout, /^ok +space +memory takes up to .* are free$/m);
    assert.match(stdout, /^c can be checkpointed\.$/m);
    assert.equal(await stateOf(box, 'c'), before);
    const { works, containers } = await report(box, [...CHECKPOINT, 'c']);
    assert.equal(works, true);
    assert.equal(containers[0]?.input, 'c');
    assert.equal(await box.ok(['container', 'checkpoint', 'c']), 'c', 'it was right');
  });
});

test('a dry run names the options that a checkpoint needs, and is right without and with them', async () => {
  await withSandbox(async (box) => {
    const server = 'nc -l -p 7000 -e cat';
    // A client that comes too early would leave the shell waiting for its sleep.
    const listens = 'until grep -q ":1B58 .* 0A " /proc/net/tcp /proc/net/tcp6; do sleep 0.05; done';
    await start(box, 'c', `${server} & ${listens}; sleep 1000 | nc 127.0.0.1 7000`);
    const found = await waitFor(
      async () => obstacles(await report(box, [...CHECKPOINT, 'c'])).length > 0,
      LIMIT_MS,
    );
    assert.ok(found, 'the connection is seen');
    const before = await stateOf(box, 'c');
    const { code, stdout } = await box.cryopod([...CHECKPOINT, 'c']);
    assert.equal(code, 125);
    assert.match(stdout, /^OBSTACLE +connections +.*established TCP connection 127\.0\.0\.1/m);
    assert.match(stdout, /^ +Hint: Use --tcp-established/m);
    assert.match(stdout, /^c cannot be checkpointed: 1 obstacle\.$/m);
    assert.equal(await stateOf(box, 'c'), before);
    assert.equal((await box.cryopod(['container', 'checkpoint', 'c'])).code, 125);
    assert.equal((await box.cryopod([...CHECKPOINT, '--tcp-established', 'c'])).code, 0);
    await box.ok(['container', 'checkpoint', '--tcp-established', 'c']);
    assert.deepEqual(obstacles(await report(box, [...RESTORE, 'c'])), ['connections']);
    assert.deepEqual(obstacles(await report(box, [...RESTORE, '--tcp-established', 'c'])), []);
    await box.ok(['container', 'restore', '--tcp-established', 'c']);
  });
});

test('a dry run of several containers tells of each, and ends with 125 for one obstacle', async () => {
  await withSandbox(async (box) => {
    await start(box, 'runs', 'sleep 1000');
    await box.ok(['create', '--name', 'made', 'localhost/busybox:latest', 'true']);
    const { code, stdout } = await box.cryopod([...CHECKPOINT, 'runs', 'made']);
    assert.equal(code, 125);
    assert.match(stdout, /^runs can be checkpointed\.$/m);
    assert.match(stdout, /^OBSTACLE +state +"created" is not running, cannot checkpoint/m);
    assert.match(stdout, /^made cannot be checkpointed/m);
    const unknown = await box.cryopod([...CHECKPOINT, 'nobody']);
    assert.equal(unknown.code, 125);
    assert.match(unknown.stderr, /no container with name or ID "nobody" found/);
  });
});

test('a dry run of a restore tells of a port that somebody took, and consumes nothing', async () => {
  await withSandbox(async (box) => {
    await start(box, 'c', 'sleep 1000', ['-p', '18099:80']);
    await box.ok(['container', 'checkpoint', 'c']);
    const before = await stateOf(box, 'c');
    assert.equal((await box.cryopod([...RESTORE, 'c'])).code, 0);
    const server = createServer(() => undefined).listen(18099);
    await once(server, 'listening');
    try {
      const { code, stdout } = await box.cryopod([...RESTORE, 'c']);
      assert.equal(code, 125);
      assert.match(stdout, /^OBSTACLE +ports +.*:18099: bind: address already in use$/m);
      assert.match(stdout, /^c cannot be restored: 1 obstacle\.$/m);
    } finally {
      server.close();
    }
    assert.equal(await stateOf(box, 'c'), before);
    await box.ok(['container', 'restore', 'c']);
    const again = await report(box, [...RESTORE, 'c']);
    assert.deepEqual(obstacles(again), ['state', 'images'], 'it runs, and its checkpoint is consumed');
  });
});

test('--format belongs to a dry run', async () => {
  await withSandbox(async (box) => {
    const { code, stderr } = await box.cryopod(['container', 'checkpoint', '--format', 'json', 'c']);
    assert.equal(code, 125);
    assert.match(stderr, /--format can only be used with --dry-run/);
  });
});
