import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { afterEach, test } from 'node:test';
import { waitFor } from '../../src/system/clock.ts';
import { runOk } from '../../src/system/process.ts';
import { LIMIT_MS } from '../fixtures/limit.ts';
import { type Sandbox, withSandbox } from '../fixtures/sandbox.ts';

const SERVER = join(import.meta.dirname, '../fixtures/programs/slow-server.pl');

/** More than a client that reads nothing takes in, and less than the server's kernel keeps of it. */
const ANSWER = 200_000;

interface Server {
  readonly box: Sandbox;
  readonly address: string;
  readonly pid: number;
  /** While there is this file, no connection is accepted. */
  readonly wait: string;
}

/** A container with programs/slow-server.pl. */
async function startServer(box: Sandbox): Promise<Server> {
  const work = join(box.directory, 'work');
  await mkdir(work);
  const volumes = ['-v', `${SERVER}:/server.pl:ro`, '-v', `${work}:/work`];
  await box.ok(['run', '-d', '--name', 'c', ...volumes, await box.image('perl'), 'perl', '/server.pl']);
  const [address = '', pid = ''] = (
    await box.ok(['inspect', '--format', '{{.NetworkSettings.IPAddress}} {{.State.Pid}}', 'c'])
  ).split(' ');
  assert.ok(await waitFor(async () => (await box.ok(['logs', 'c'])) === 'ready', LIMIT_MS));
  return { box, address, pid: Number(pid), wait: join(work, 'wait') };
}

/** One request. Nothing of the answer is read before it is asked for. */
interface Asked {
  readonly socket: Socket;
  /** All of the answer, until the end of the connection. */
  readonly answer: () => Promise<string>;
}

function ask({ address }: Server): Asked {
  const socket = connect({ host: address, port: 7000, allowHalfOpen: true });
  sockets.add(socket);
  socket.pause();
  socket.write(`${ANSWER}\n`);
  // It is told to whoever asks for the answer.
  socket.on('error', () => undefined);
  const answer = async (): Promise<string> => {
    let text = '';
    try {
      for await (const part of socket) text += String(part);
      return text;
    } catch (error) {
      return `${text.length} bytes, then ${String(error)}`;
    } finally {
      socket.destroy();
    }
  };
  return { socket, answer };
}

async function assertAnswered({ answer }: Asked): Promise<void> {
  const text = await answer();
  assert.equal(
    text.replace(/x+/, (all) => `${all.length} `),
    `${ANSWER} end`,
  );
}

/** Connections in the container that no process holds, by their state's number in net/tcp_states.h. */
const looseStates = ({ pid }: Server): string[] =>
  readFileSync(`/proc/${pid}/net/tcp`, 'utf8')
    .split('\n')
    .slice(1)
    .map((line) => line.trim().split(/\s+/))
    .filter(([, , , state, , , , , , inode]) => inode === '0' && state !== '06')
    .map(([, , , state = '']) => state);

/** A socket that is left open keeps the test's process from ending. */
const sockets = new Set<Socket>();
afterEach(() => {
  for (const socket of sockets) socket.destroy();
  sockets.clear();
});

const reaches = async (what: string, condition: () => boolean): Promise<void> =>
  assert.ok(await waitFor(condition, LIMIT_MS), `not reached: ${what}`);

/** A request whose connection the server has closed, with most of the answer on its way. */
async function closedWithAnswer(server: Server): Promise<Asked> {
  const asked = ask(server);
  await reaches('FIN_WAIT1', () => looseStates(server).includes('04'));
  return asked;
}

/** A request whose connection the server has not accepted. */
async function notAccepted(server: Server): Promise<Asked> {
  await writeFile(server.wait, '');
  const asked = ask(server);
  await reaches('a connection that waits', () => looseStates(server).includes('01'));
  return asked;
}

/** A command at the moment when it lets connections come to rest. */
async function whileDraining(
  { box }: Server,
  args: readonly string[],
  work: () => Promise<void>,
): Promise<string> {
  const child = box.start(args, { CRYOPOD_FAULT: 'hold.draining:stop' });
  let said = '';
  child.stdout?.resume();
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    said += text;
  });
  const ended = new Promise<number | null>((resolve) => child.once('close', resolve));
  try {
    await reaches(
      `that point: ${said}`,
      () => said.includes('hold.draining: stop') || child.exitCode !== null,
    );
    assert.equal(child.exitCode, null, said);
    await work();
  } finally {
    child.kill('SIGCONT');
  }
  assert.equal(await ended, 0, said);
  return said.replace(/^fault point .*\n/, '');
}

const FREEZE = ['container', 'checkpoint', '--tcp-established', 'c'];
const THAW = ['container', 'restore', '--tcp-established', 'c'];

const archiveOf = (box: Sandbox): string => join(box.directory, 'c.tar.zst');
const exportTo = (box: Sandbox): string[] => [...FREEZE.slice(0, -1), '--export', archiveOf(box), 'c'];
const importFrom = (box: Sandbox): string[] => [
  ...THAW.slice(0, -1),
  ...['--trust', '--import', archiveOf(box)],
];

const withServer = (work: (server: Server) => Promise<void>): Promise<void> =>
  withSandbox(async (box) => work(await startServer(box)), { images: ['perl'] });

for (const [what, freeze, thaw] of [
  ['a freeze', () => FREEZE, () => [THAW]],
  ['an export', exportTo, (box: Sandbox) => [['rm', 'c'], importFrom(box)]],
] as const) {
  test(`connections that are not accepted yet, or closed with data on its way, come to their end before ${what}, and new ones wait for the thaw`, () =>
    withServer(async (server) => {
      const { box } = server;
      const closed = await closedWithAnswer(server);
      const early = await notAccepted(server);
      let late: Asked | undefined;
      const said = await whileDraining(server, freeze(box), async () => {
        await rm(server.wait);
        late = ask(server);
        await Promise.all([closed, early].map(assertAnswered));
        assert.deepEqual(looseStates(server), []);
        assert.equal(late.socket.connecting, true);
      });
      assert.equal(said, '');
      assert.equal(late?.socket.connecting, true);
      for (const command of thaw(box)) await box.ok(command);
      await assertAnswered(late ?? assert.fail());
    }));
}

test('a connection that is not accepted in time is told of and lost, and the container is frozen and thawed all the same', () =>
  withServer(async (server) => {
    const { socket } = await notAccepted(server);
    const { code, stderr } = await server.box.cryopod(FREEZE);
    assert.equal(code, 0, stderr);
    const from = `${socket.localAddress}:${socket.localPort}`;
    assert.match(
      stderr,
      new RegExp(`^[^\\n]*level=warning msg="not saved of c: the connection from ${from} to [^\\n]*\\n$`),
    );
    await server.box.ok(THAW);
    await rm(server.wait);
    await assertAnswered(ask(server));
  }));

test('a container that is left running keeps the connections that it has not accepted', () =>
  withServer(async (server) => {
    for (const more of [[], ['--export', archiveOf(server.box)], ['--tag', 'one']]) {
      const asked = await notAccepted(server);
      const { code, stderr } = await server.box.cryopod([
        ...FREEZE.slice(0, -1),
        '--leave-running',
        ...more,
        'c',
      ]);
      assert.deepEqual([code, stderr], [0, '']);
      await rm(server.wait);
      await assertAnswered(asked);
    }
  }));

/** How much the container's kernel sends at once over its only connection. */
async function segmentBytes(box: Sandbox): Promise<number> {
  const pid = await box.ok(['inspect', '--format', '{{.State.Pid}}', 'c']);
  const connections = await runOk(['nsenter', `--net=/proc/${pid}/ns/net`, 'ss', '-tinH'], 'ask for it');
  const [, bytes] = / mss:(\d+) /.exec(connections) ?? assert.fail(connections);
  return Number(bytes);
}

test('connections go on from a checkpoint, a named one and an archive, in segments of the size that they had after the first answer', () =>
  withSandbox(async (box) => {
    const program = ['nc', '-ll', '-p', '7000', '-e', 'cat'];
    await box.ok(['run', '-d', '--name', 'c', await box.image('busybox'), ...program]);
    const host = await box.ok(['inspect', '--format', '{{.NetworkSettings.IPAddress}}', 'c']);
    const client = await waitFor(async () => {
      const socket = connect(7000, host);
      return await once(socket, 'connect').then(
        () => socket,
        () => undefined,
      );
    }, LIMIT_MS);
    assert.ok(client !== undefined, 'nobody listens');
    const echo = async (): Promise<void> => {
      client.write('x');
      await once(client, 'data');
    };
    sockets.add(client);
    await echo();
    const before = await segmentBytes(box);
    for (const commands of [
      [FREEZE, THAW],
      [[...FREEZE.slice(0, -1), '--tag', 'one', 'c'], THAW, ['checkpoint', 'rm', 'c@one']],
      [exportTo(box), ['rm', 'c'], importFrom(box)],
    ]) {
      for (const command of commands) await box.ok(command);
      await echo();
      await reachesSegments(box, before);
    }
  }));

/** The answer to the echo may be on its way. */
const reachesSegments = async (box: Sandbox, bytes: number): Promise<void> => {
  assert.ok(
    await waitFor(async () => (await segmentBytes(box)) === bytes, LIMIT_MS),
    `not ${bytes} but ${await segmentBytes(box)}`,
  );
};
