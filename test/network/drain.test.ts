import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { holdForFreeze } from '../../src/engine/hold-connections.ts';
import { type Container, STOPPED_STATE } from '../../src/model/container.ts';
import { hasConnections, type LooseConnection, looseConnections } from '../../src/network/connections.ts';
import { drainConnections } from '../../src/network/drain.ts';
import { holdNewConnections, isHeld, releaseNetwork } from '../../src/network/hold.ts';
import { createNamespace, removeNamespace } from '../../src/network/namespace.ts';
import { sleep, waitFor } from '../../src/system/clock.ts';
import { enterHostNamespace } from '../fixtures/host-namespace.ts';
import { LIMIT_MS } from '../fixtures/limit.ts';
import { INNER, linkNamespace } from '../fixtures/veth-pair.ts';

/** What a client that reads nothing takes in, and what its kernel and the server's keep, is less. */
const ANSWER = 200_000;

/** On port 7000 it echoes; on 7001 it sends what it has to say with its end, when it is told on its input. */
const SERVER = `
  const net = require('node:net');
  const told = [];
  net.createServer((socket) => socket.pipe(socket)).listen(7000, '::');
  net.createServer({ allowHalfOpen: true }, (socket) => {
    told.push(() => { socket.end('x'.repeat(${ANSWER})); socket.destroySoon(); });
    socket.on('error', () => undefined);
    process.stdout.write('taken');
  }).listen(7001, '::', () => process.stdout.write('ready'));
  process.stdin.on('data', () => told.splice(0).forEach((say) => say()));
`;
/** Has a queue of connections that it never accepts. */
const SLEEPER = `
  use IO::Socket::INET;
  my $l = IO::Socket::INET->new(Listen => 5, LocalPort => 7002) or die;
  print 'ready'; STDOUT->flush; sleep 1 while 1;
`;

/** Gives `work` a connection that nobody accepts. */
async function withUnaccepted(work: (client: Socket) => Promise<void>): Promise<void> {
  const sleeper = inside('perl', '-e', SLEEPER);
  try {
    await said(sleeper);
    const client = await connected(7002);
    assert.ok(await waitFor(() => loose().length === 1, LIMIT_MS));
    await work(client);
    client.destroy();
  } finally {
    sleeper.kill('SIGKILL');
    assert.ok(await waitFor(() => loose().length === 0, LIMIT_MS));
  }
}

let directory: string;
let netns: string;
let server: ChildProcess;

const inside = (...command: string[]): ChildProcess => spawn('nsenter', [`--net=${netns}`, ...command]);
const said = (child: ChildProcess): Promise<unknown> =>
  new Promise((resolve) => child.stdout?.once('data', resolve));
const loose = (): LooseConnection[] => looseConnections(server.pid ?? 0);

before(async () => {
  await enterHostNamespace();
  directory = await mkdtemp(join(tmpdir(), 'cryopod-drain-'));
  netns = join(directory, 'netns');
  await createNamespace(netns);
  await linkNamespace(netns);
  server = inside(process.execPath, '-e', SERVER);
  await said(server);
});

after(async () => {
  server.kill('SIGKILL');
  await removeNamespace(netns);
  await rm(directory, { recursive: true });
});

const connected = async (port: number, host: string = INNER.v4): Promise<Socket> => {
  const socket = connect({ port, host, allowHalfOpen: true });
  await new Promise((resolve, reject) => socket.once('connect', resolve).once('error', reject));
  return socket;
};

/** Takes in some 64 KB each 20 ms; gives how much came until the end. */
async function readSlowly(socket: Socket): Promise<number> {
  let bytes = 0;
  for await (const part of socket) {
    bytes += (part as Buffer).length;
    await sleep(20);
  }
  socket.destroy();
  return bytes;
}

/** A client that has not read its answer, whose connection the server has closed. */
async function closedWithAnswer(): Promise<Socket> {
  const taken = said(server);
  const client = await connected(7001);
  client.pause();
  await taken;
  server.stdin?.write('say it');
  assert.ok(await waitFor(() => loose().some(({ state }) => state === 'FIN_WAIT1'), LIMIT_MS));
  return client;
}

for (const [family, host] of Object.entries(INNER)) {
  test(`while new connections are held one waits and those that are open go on, and it is there after the release, ${family}`, async () => {
    const open = await connected(7000, host);
    await holdNewConnections(netns);
    let isThere = false;
    const coming = connected(7000, host).then((socket) => {
      isThere = true;
      return socket;
    });
    try {
      for (const text of ['one', 'two']) {
        const answer = new Promise((resolve) => open.once('data', resolve));
        open.write(text);
        assert.equal(String(await answer), text);
        // Its kernel tries again after a second.
        await sleep(1200);
        assert.equal(isThere, false);
      }
    } finally {
      await releaseNetwork(netns);
      open.destroy();
      (await coming).destroy();
    }
  });
}

test('where all connections are held by processes there is nothing to wait for, nor where there is none', async () => {
  assert.deepEqual(loose(), []);
  assert.equal(hasConnections(server.pid ?? 0), false);
  const open = await connected(7000);
  assert.ok(await waitFor(() => hasConnections(server.pid ?? 0), LIMIT_MS));
  assert.deepEqual(await drainConnections(server.pid ?? 0), []);
  open.destroy();
});

test('a closed connection whose data goes on coming is waited for until all has come', async () => {
  const client = await closedWithAnswer();
  const [found] = loose();
  assert.equal(found?.local, `${INNER.v4}:7001`);
  assert.equal(found?.remote, `${client.localAddress}:${client.localPort}`);
  assert.ok((found?.unacknowledged ?? 0) > 1, `${found?.unacknowledged} bytes`);
  const [left, read] = await Promise.all([drainConnections(server.pid ?? 0), readSlowly(client)]);
  assert.deepEqual(left, []);
  assert.equal(read, ANSWER);
});

test('what does not get on is waited for once, and not longer than it takes to be sure', () =>
  withUnaccepted(async (client) => {
    const stuck = await drainConnections(server.pid ?? 0);
    assert.deepEqual(
      stuck.map(({ state, remote }) => [state, remote]),
      [['ESTABLISHED', `${client.localAddress}:${client.localPort}`]],
    );
    // It would throw where it waited.
    const signal = AbortSignal.abort();
    assert.deepEqual(await drainConnections(server.pid ?? 0, { stuck, signal }), stuck);
  }));

test('an interruption ends the wait', () =>
  withUnaccepted(async () => {
    const signal = AbortSignal.abort(new Error('interrupted'));
    await assert.rejects(drainConnections(server.pid ?? 0, { signal }), /interrupted/);
  }));

test('what is closed in the moment of the freeze is delivered before all packets are held', async () => {
  const taken = said(server);
  const client = await connected(7001);
  client.pause();
  await taken;
  const container = {
    config: { name: 'c' },
    state: { ...STOPPED_STATE, netns, pid: server.pid ?? 0 },
  } as unknown as Container;
  let read: Promise<number> | undefined;
  const freeze = async (): Promise<void> => {
    server.stdin?.write('say it');
    assert.ok(await waitFor(() => loose().length > 0, LIMIT_MS));
    server.kill('SIGSTOP');
    read = readSlowly(client);
  };
  try {
    const context = { signal: new AbortController().signal };
    const choice = { leaveRunning: false, tcpEstablished: true, freeze };
    assert.equal(await holdForFreeze(context, container, choice), true);
    assert.equal(await isHeld(netns), true);
    assert.equal(await read, ANSWER);
  } finally {
    server.kill('SIGCONT');
    await releaseNetwork(netns);
  }
});
