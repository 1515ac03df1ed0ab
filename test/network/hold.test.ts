import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { clearCriuLock } from '../../src/network/criu-lock.ts';
import { holdNetwork, isHeld, releaseNetwork } from '../../src/network/hold.ts';
import { createNamespace, namespaceExists, removeNamespace } from '../../src/network/namespace.ts';
import { sleep, waitFor } from '../../src/system/clock.ts';
import { run, runOk } from '../../src/system/process.ts';
import { enterHostNamespace } from '../fixtures/host-namespace.ts';
import { LIMIT_MS } from '../fixtures/limit.ts';
import { INNER, linkNamespace } from '../fixtures/veth-pair.ts';

const ECHO_SERVER = `
  const server = require('node:net').createServer((socket) => socket.pipe(socket));
  server.listen(7000, '::', () => process.stdout.write('ready'));
`;

let directory: string;
let netns: string;
let server: ChildProcess;

before(async () => {
  await enterHostNamespace();
  directory = await mkdtemp(join(tmpdir(), 'cryopod-hold-'));
  netns = join(directory, 'netns');
  await createNamespace(netns);
  await linkNamespace(netns);
  server = spawn('nsenter', [`--net=${netns}`, process.execPath, '-e', ECHO_SERVER]);
  await new Promise((resolve) => server.stdout?.once('data', resolve));
});

after(async () => {
  server.kill('SIGKILL');
  await removeNamespace(netns);
  await rm(directory, { recursive: true });
});

/** What a client saw, as it saw it. */
interface Client {
  readonly socket: Socket;
  received: string;
  ended: string | undefined;
}

async function openClient(host: string): Promise<Client> {
  const socket = connect(7000, host);
  const client: Client = { socket, received: '', ended: undefined };
  socket.setEncoding('utf8');
  socket.on('data', (text: string) => {
    client.received += text;
  });
  socket.on('error', (error) => {
    client.ended = error.message;
  });
  socket.on('close', () => {
    client.ended ??= 'closed';
  });
  await new Promise((resolve, reject) => {
    socket.once('connect', resolve);
    socket.once('error', reject);
  });
  return client;
}

const inside = (...command: string[]): Promise<string> =>
  runOk(['nsenter', `--net=${netns}`, ...command], `run ${command[0]} inside`);

for (const [family, host] of Object.entries(INNER)) {
  test(`a client that sends while the network is held notices nothing and is answered after the release, ${family}`, async () => {
    const client = await openClient(host);
    try {
      client.socket.write('before ');
      assert.ok(await waitFor(() => client.received === 'before ', LIMIT_MS));
      await holdNetwork(netns);
      client.socket.write('during');
      await sleep(3000);
      assert.equal(client.received, 'before ');
      assert.equal(client.ended, undefined);
      await releaseNetwork(netns);
      assert.ok(await waitFor(() => client.received === 'before during', LIMIT_MS), client.ended);
    } finally {
      await releaseNetwork(netns);
      client.socket.destroy();
    }
  });

  test(`a packet for a socket that is gone is refused without the hold and dropped with it, ${family}`, async () => {
    const refused = async (): Promise<string> => {
      const socket = connect(7001, host);
      const outcome = new Promise<string>((resolve) => {
        socket.once('error', (error) => resolve(error.message));
        setTimeout(() => resolve('silence'), 1500);
      });
      const text = await outcome;
      socket.destroy();
      return text;
    };
    assert.match(await refused(), /ECONNREFUSED/);
    await holdNetwork(netns);
    assert.equal(await refused(), 'silence');
    await releaseNetwork(netns);
  });
}

test('lo goes on inside a held namespace', async () => {
  await holdNetwork(netns);
  const client = "require('node:net').connect(7000, '127.0.0.1').once('connect', () => process.exit(0))";
  await inside(process.execPath, '-e', client);
  await releaseNetwork(netns);
});

test('without nft the hold is made with iptables, and released again', async () => {
  const call = (name: string): string =>
    `const m = await import('${join(import.meta.dirname, '../../src/network/hold.ts')}'); process.stdout.write(String(await m.${name}('${netns}')));`;
  const withoutNft = (name: string): Promise<string> =>
    runOk(
      [
        ...['unshare', '--mount', 'sh', '-c', 'mount --bind /dev/null "$(command -v nft)" && exec "$0" "$@"'],
        ...[process.execPath, '--input-type=module-typescript', '-e', call(name)],
      ],
      `run ${name}`,
    );
  assert.equal(await withoutNft('isHeld'), 'false');
  const open = await openClient(INNER.v4);
  const attempt = async (): Promise<unknown> => {
    const client = connect(7000, INNER.v4);
    const outcome = new Promise((resolve) => {
      client.once('connect', () => resolve('connected'));
      client.once('error', resolve);
      setTimeout(() => resolve('silence'), 500);
    });
    return await outcome.finally(() => client.destroy());
  };
  for (const hold of ['holdNewConnections', 'holdNetwork']) {
    await withoutNft(hold);
    await withoutNft(hold);
    assert.equal(await withoutNft('isHeld'), 'true');
    const rules = await inside('iptables', '-S', 'INPUT');
    assert.equal(rules.match(/-j CRYOPOD_HOLD/g)?.length, 1);
    open.socket.write(`${hold} `);
    assert.equal(await attempt(), 'silence');
    assert.equal(open.received, 'holdNewConnections ');
  }
  await withoutNft('releaseNetwork');
  await withoutNft('releaseNetwork');
  assert.equal(await withoutNft('isHeld'), 'false');
  assert.ok(await waitFor(() => open.received === 'holdNewConnections holdNetwork ', LIMIT_MS), open.ended);
  open.socket.destroy();
  (await openClient(INNER.v4)).socket.destroy();
});

test('holding and releasing twice is the same as once, and a namespace that is gone counts as released', async () => {
  assert.equal(await isHeld(netns), false);
  await releaseNetwork(netns);
  await holdNetwork(netns);
  await holdNetwork(netns);
  assert.equal(await isHeld(netns), true);
  const table = await inside('nft', 'list', 'table', 'inet', 'cryopod_hold');
  assert.equal(table.split('policy drop').length - 1, 2);
  await releaseNetwork(netns);
  await releaseNetwork(netns);
  assert.equal(await isHeld(netns), false);
  const gone = join(directory, 'gone');
  await releaseNetwork(gone);
  assert.equal(await isHeld(gone), false);
});

/** The lock as CRIU makes it (criu/net.c): iptables_network_lock_internal and nftables_lock_network_internal. */
async function lockLikeCriu(): Promise<void> {
  const input = `*filter\n:CRIU - [0:0]\n-I INPUT -j CRIU\n-I OUTPUT -j CRIU\n-A CRIU -m mark --mark 0xC114 -j ACCEPT\n-A CRIU -j DROP\nCOMMIT\n`;
  for (const program of ['iptables-restore', 'ip6tables-restore']) {
    await runOk(['nsenter', `--net=${netns}`, program, '-w', '--noflush'], 'lock', { input });
  }
  const table = 'inet CRIU-8e4bd2f0-1';
  const script = [
    `create table ${table}`,
    `add chain ${table} output { type filter hook output priority 0; policy drop; }`,
    `add rule ${table} output meta mark 0xC114 accept`,
    `add chain ${table} input { type filter hook input priority 0; policy drop; }`,
  ].join('\n');
  await runOk(['nsenter', `--net=${netns}`, 'nft', '-f', '-'], 'lock', { input: `${script}\n` });
}

test("CRIU's leftover locks are cleared, beside the hold and without touching it", async () => {
  await lockLikeCriu();
  await lockLikeCriu().catch(() => undefined);
  await holdNetwork(netns);
  await clearCriuLock(netns);
  await clearCriuLock(netns);
  assert.equal(await isHeld(netns), true);
  await releaseNetwork(netns);
  for (const program of ['iptables', 'ip6tables']) {
    assert.doesNotMatch(await inside(program, '-S'), /CRIU/);
  }
  assert.doesNotMatch(await inside('nft', 'list', 'ruleset'), /CRIU/);
  (await openClient(INNER.v4)).socket.destroy();
});

test('a namespace has lo up, can be made and removed twice, and leaves no file', async () => {
  const path = join(directory, 'other');
  await createNamespace(path);
  const first = await runOk(['nsenter', `--net=${path}`, 'ip', '-br', 'addr'], 'list addresses');
  assert.match(first, /lo +UNKNOWN +127\.0\.0\.1/);
  await createNamespace(path);
  assert.ok(namespaceExists(path));
  await removeNamespace(path);
  await removeNamespace(path);
  assert.equal(namespaceExists(path), false);
  assert.equal((await run(['test', '-e', path])).ok, false);
});
