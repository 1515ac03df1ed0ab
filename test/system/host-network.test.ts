import assert from 'node:assert/strict';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { waitFor } from '../../src/system/clock.ts';
import { runOk } from '../../src/system/process.ts';
import { checkpointDirectory } from '../../src/system/store-paths.ts';
import { LIMIT_MS } from '../fixtures/limit.ts';
import { type Sandbox, withSandbox } from '../fixtures/sandbox.ts';

const PORT = 7007;

/** Starts an echo server on the host's network and connects to it. */
async function startEcho(t: TestContext, box: Sandbox): Promise<Socket> {
  await box.ok([
    'run',
    '-d',
    '--name',
    'c',
    '--network',
    'host',
    'localhost/busybox:latest',
    'nc',
    '-ll',
    '-p',
    String(PORT),
    '-e',
    'cat',
  ]);
  const client = await waitFor(async () => {
    const socket = connect(PORT, '127.0.0.1');
    try {
      await once(socket, 'connect');
      return socket;
    } catch {
      return undefined;
    }
  }, LIMIT_MS);
  assert.ok(client !== undefined, 'the server answers');
  t.after(() => client.destroy());
  await assertEcho(client, 'before');
  return client;
}

async function assertEcho(client: Socket, text: string): Promise<void> {
  client.write(text);
  const [answer] = (await once(client, 'data')) as [Buffer];
  assert.equal(answer.toString(), text);
}

const locks = async (): Promise<string[]> =>
  (await runOk(['iptables', '-w', '-S'], 'list rules')).split('\n').filter((rule) => rule.includes('0xc114'));

test("on the host's network a connection goes on, and CRIU's locks do not outlive the restore", async (t) => {
  await withSandbox(async (box) => {
    const client = await startEcho(t, box);
    await box.ok(['container', 'checkpoint', '--tcp-established', 'c']);
    assert.notDeepEqual(await locks(), []);
    await box.ok(['container', 'restore', '--tcp-established', 'c']);
    await assertEcho(client, 'after');
    assert.deepEqual(await locks(), []);
  });
});

test("an exported container on the host's network goes on with its connection, in its place and from the archive", async (t) => {
  await withSandbox(async (box) => {
    const archive = join(box.directory, 'c.tar.zst');
    const client = await startEcho(t, box);
    await box.ok(['container', 'checkpoint', '--tcp-established', '--export', archive, 'c']);
    const id = await box.ok(['inspect', '--format', '{{.Id}}', 'c']);
    assert.equal(existsSync(checkpointDirectory(box, id)), false, 'the memory lies in the archive alone');
    // Nothing refuses what comes meanwhile: it is sent again until the server is back.
    const answer = once(client, 'data');
    client.write('meanwhile');
    await box.ok(['container', 'restore', '--tcp-established', 'c']);
    assert.equal(String((await answer)[0]), 'meanwhile');
    await box.ok(['container', 'checkpoint', '--tcp-established', '--export', archive, 'c']);
    await box.ok(['rm', 'c']);
    await box.ok(['container', 'restore', '--trust', '--tcp-established', '--import', archive]);
    await assertEcho(client, 'after');
    assert.deepEqual(await locks(), []);
  });
});

test("what fails after CRIU has ended a container on the host's network leaves its complete checkpoint", async (t) => {
  await withSandbox(async (box) => {
    const archive = join(box.directory, 'c.tar.zst');
    const client = await startEcho(t, box);
    const args = ['container', 'checkpoint', '--tcp-established', '--export', archive, 'c'];
    const { code, stderr } = await box.cryopod(args, { CRYOPOD_FAULT: 'export.checkpointed:enospc' });
    assert.notEqual(code, 0);
    const [, command = ''] =
      /the complete checkpoint of c is here: cryopod (container restore .* c)\b/.exec(stderr) ?? [];
    assert.notEqual(command, '', stderr);
    assert.equal(existsSync(archive), false);
    await box.ok(command.split(' '));
    await assertEcho(client, 'after');
  });
});

for (const [what, command] of [
  ['removed', ['rm', 'c']],
  ['started anew', ['start', 'c']],
  ['restored with closed connections', ['container', 'restore', '--tcp-close', 'c']],
] as const) {
  test(`CRIU's locks on the host's network are gone when the checkpoint is ${what}`, async (t) => {
    await withSandbox(async (box) => {
      const client = await startEcho(t, box);
      client.on('error', () => undefined);
      await box.ok(['container', 'checkpoint', '--tcp-established', 'c']);
      client.destroy();
      await box.ok(command);
      assert.deepEqual(await locks(), []);
    });
  });
}
