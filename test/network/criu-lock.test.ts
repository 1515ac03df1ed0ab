import assert from 'node:assert/strict';
import { connect, type Socket } from 'node:net';
import { test } from 'node:test';
import { isHeld } from '../../src/network/hold.ts';
import { sleep, waitFor } from '../../src/system/clock.ts';
import { run } from '../../src/system/process.ts';
import { netnsPath } from '../../src/system/store-paths.ts';
import { imageName } from '../fixtures/images.ts';
import { LIMIT_MS } from '../fixtures/limit.ts';
import { type Sandbox, withSandbox } from '../fixtures/sandbox.ts';

/** Reads each client's question to its end (its FIN) and answers a second later, over the half that is still open. */
const PATIENT_SERVER = `
  use Socket;
  socket(my $server, PF_INET, SOCK_STREAM, 0) or die $!;
  bind($server, sockaddr_in(7000, INADDR_ANY)) or die $!;
  listen($server, 5) or die $!;
  $| = 1;
  print "ready\\n";
  while (accept(my $client, $server)) {
    my $question = '';
    1 while sysread($client, $question, 100, length $question);
    print "asked\\n";
    sleep 1;
    syswrite($client, "answer to $question");
    close $client;
  }`;

const netnsOf = (box: Sandbox, id: string): string => netnsPath({ root: box.root, runroot: box.runroot }, id);

/** Firewall rules of CRIU's network lock in the container's namespace. */
async function criuRules(netns: string): Promise<string[]> {
  const dumps = [['iptables-save'], ['ip6tables-save'], ['nft', 'list', 'ruleset']];
  const outputs = await Promise.all(dumps.map((dump) => run(['nsenter', `--net=${netns}`, ...dump])));
  return outputs.flatMap(({ stdout }) => stdout.split('\n')).filter((line) => line.includes('CRIU'));
}

const logged = (box: Sandbox, text: string): Promise<true | undefined> =>
  waitFor(async () => (await box.ok(['logs', 'c'])).includes(text), LIMIT_MS);

async function startServer(box: Sandbox): Promise<{ netns: string; port: number }> {
  const options = ['-d', '--name', 'c', '-p', '127.0.0.1::7000', imageName('perl')];
  const id = await box.ok(['run', ...options, 'perl', '-e', PATIENT_SERVER]);
  assert.ok(await logged(box, 'ready'));
  return {
    netns: netnsOf(box, id),
    port: Number((await box.ok(['port', 'c', '7000/tcp'])).split(':').at(-1)),
  };
}

/** Asks and closes the own half; resolves with all that comes back. */
function ask(port: number): { socket: Socket; answer: Promise<string> } {
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
  socket.setEncoding('utf8').end('life');
  let text = '';
  socket.on('data', (data: string) => {
    text += data;
  });
  const answer = new Promise<string>((resolve) => {
    socket.once('end', () => resolve(text));
    socket.once('error', (error) => resolve(error.message));
  });
  return { socket, answer };
}

test("a half-closed connection is restored through the hold, and CRIU's own lock goes with the restore", async () => {
  await withSandbox(
    async (box) => {
      const { netns, port } = await startServer(box);
      const { socket, answer } = ask(port);
      assert.ok(await logged(box, 'asked'));
      await box.ok(['container', 'checkpoint', '--tcp-established', 'c']);
      assert.equal(await isHeld(netns), true);
      assert.notDeepEqual(await criuRules(netns), [], 'CRIU leaves its lock in the kept namespace');
      await sleep(1500);
      await box.ok(['container', 'restore', '--tcp-established', 'c']);
      assert.equal(await answer, 'answer to life');
      assert.equal(await isHeld(netns), false);
      assert.deepEqual(await criuRules(netns), []);
      socket.destroy();
      assert.equal(await ask(port).answer, 'answer to life');
    },
    { images: ['perl'] },
  );
});

test("a start without restore, and a second checkpoint, find nothing of CRIU's lock in their way", async () => {
  await withSandbox(
    async (box) => {
      const first = await startServer(box);
      await box.ok(['container', 'checkpoint', 'c']);
      await box.ok(['container', 'restore', 'c']);
      await box.ok(['container', 'checkpoint', 'c']);
      await box.ok(['start', 'c']);
      assert.deepEqual(await criuRules(first.netns), []);
      assert.equal(await isHeld(first.netns), false);
      assert.ok(await waitFor(async () => (await box.ok(['logs', 'c'])).split('ready').length > 2, LIMIT_MS));
      const port = Number((await box.ok(['port', 'c', '7000/tcp'])).split(':').at(-1));
      assert.equal(await ask(port).answer, 'answer to life');
    },
    { images: ['perl'] },
  );
});
