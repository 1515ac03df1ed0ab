import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { test } from 'node:test';
import { waitFor } from '../../src/system/clock.ts';
import { runOk } from '../../src/system/process.ts';
import { type Sandbox, withSandbox } from '../fixtures/sandbox.ts';

const PORT = 7007;

/** Starts an echo server on the host's network and connects to it. */
async function startEcho(box: Sandbox): Promise<Socket> {
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
  }, 5000);
  assert.ok(client !== undefined, 'the server answers');
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

test("on the host's network a connection goes on, and CRIU's locks do not outlive the restore", async () => {
  await withSandbox(async (box) => {
    const client = await startEcho(box);
    await box.ok(['container', 'checkpoint', '--tcp-established', 'c']);
    assert.notDeepEqual(await locks(), []);
    await box.ok(['container', 'restore', '--tcp-established', 'c']);
    await assertEcho(client, 'after');
    assert.deepEqual(await locks(), []);
    client.destroy();
  });
});

for (const [what, command] of [
  ['removed', ['rm', 'c']],
  ['started anew', ['start', 'c']],
  ['restored with closed connections', ['container', 'restore', '--tcp-close', 'c']],
] as const) {
  test(`CRIU's locks on the host's network are gone when the checkpoint is ${what}`, async () => {
    await withSandbox(async (box) => {
      const client = await startEcho(box);
      client.on('error', () => undefined);
      await box.ok(['container', 'checkpoint', '--tcp-established', 'c']);
      client.destroy();
      await box.ok(command);
      assert.deepEqual(await locks(), []);
    });
  });
}
