import assert from 'node:assert/strict';
import { connect, type Socket } from 'node:net';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  assertRefused,
  CHECKPOINTED,
  checkpoint,
  eventually,
  IMAGE,
  inside,
  inspect,
  RUNNING,
  restore,
  type Sandbox,
  start,
  stateOf,
  withSandbox,
} from './support.ts';

const ECHO = 'nc -ll -p 7000 -e cat';
const ADDRESS = '{{.NetworkSettings.IPAddress}} {{.NetworkSettings.MacAddress}}';

const listens = (box: Sandbox, name: string): Promise<void> =>
  eventually(`${name} listens`, async () =>
    (await inside(box, name, 'cat /proc/net/tcp /proc/net/tcp6')).includes(':1B58 '),
  );

/** Resolves with the connection, or rejects with its error. */
const dial = (host: string, port: number): Promise<Socket> =>
  new Promise((resolve, reject) => {
    const socket = connect(port, host);
    socket.once('connect', () => resolve(socket));
    socket.once('error', reject);
  });

/** Sends a line and resolves with the next data. */
const echoed = (socket: Socket, text: string): Promise<string> =>
  new Promise((resolve, reject) => {
    socket.once('data', (data) => resolve(String(data)));
    socket.once('error', reject);
    socket.write(text);
  });

async function publishedPort(box: Sandbox, name: string): Promise<number> {
  return Number((await box.ok(['port', name, '7000/tcp'])).split(':').at(-1));
}

test('A published port answers nothing after a checkpoint; who calls meanwhile is answered after the restore', async () => {
  await withSandbox(async (box) => {
    await start(box, 'c', ECHO, '-p', '127.0.0.1::7000');
    await listens(box, 'c');
    const port = await publishedPort(box, 'c');
    await checkpoint(box, 'c');
    let connected = false;
    const waiting = dial('127.0.0.1', port).then((socket) => {
      connected = true;
      return socket;
    });
    await sleep(1500);
    assert.equal(connected, false, 'the port is closed while the container is down');
    await restore(box, 'c');
    assert.equal(await publishedPort(box, 'c'), port);
    const socket = await waiting;
    assert.equal(await echoed(socket, 'hello\n'), 'hello\n');
    socket.destroy();
  });
});

test('A published port is refused once a checkpointed container is removed', async () => {
  await withSandbox(async (box) => {
    await start(box, 'c', ECHO, '-p', '127.0.0.1::7000');
    const port = await publishedPort(box, 'c');
    await checkpoint(box, 'c');
    await box.ok(['rm', 'c']);
    await assert.rejects(dial('127.0.0.1', port), { code: 'ECONNREFUSED' });
  });
});

test('Same IP and MAC after a local restore, and /etc/hosts and resolv.conf are unchanged', async () => {
  await withSandbox(async (box) => {
    await start(box, 'c', 'sleep 1000', '--add-host', 'friend:10.1.2.3', '--dns', '192.0.2.53');
    const files = 'cat /etc/hosts /etc/resolv.conf /etc/hostname; cat /sys/class/net/eth0/address';
    const [address, content] = [await inspect(box, 'c', ADDRESS), await inside(box, 'c', files)];
    assert.match(address, /^10\..* [0-9a-f:]{17}$/);
    assert.match(content, /10\.1\.2\.3\s+friend/);
    assert.match(content, /nameserver 192\.0\.2\.53/);
    // The next address must not be given to somebody else meanwhile.
    await checkpoint(box, 'c');
    await start(box, 'other', 'sleep 1000');
    await restore(box, 'c');
    assert.equal(await inspect(box, 'c', ADDRESS), address);
    assert.equal(await inside(box, 'c', files), content);
  });
});

const IN_FIXED =
  '{{(index .NetworkSettings.Networks "fixed").IPAddress}} {{(index .NetworkSettings.Networks "fixed").MacAddress}}';

/** Address and MAC of container c on the network `fixed`. */
async function addressOf(box: Sandbox): Promise<[ip: string, mac: string]> {
  const [ip = '', mac = ''] = (await inspect(box, 'c', IN_FIXED)).split(' ');
  assert.match(ip, /^10\.31\.77\./);
  return [ip, mac];
}

/** Gives `work` a network `fixed`, outside of the pool that cryopod chooses from. */
async function withFixedNetwork(work: (box: Sandbox) => Promise<void>): Promise<void> {
  await withSandbox(async (box) => {
    await box.ok(['network', 'create', '--subnet', '10.31.77.0/24', 'fixed']);
    await work(box);
    await box.ok(['rm', '-f', '-t', '0', 'c']);
    await box.ok(['network', 'rm', 'fixed']);
  });
}

test('A static address stays over a restore and a restart', async () => {
  await withFixedNetwork(async (box) => {
    const fixed = ['10.31.77.77', '92:d0:c6:0a:29:33'];
    await start(box, 'c', 'sleep 1000', '--network', `fixed:ip=${fixed[0]},mac=${fixed[1]}`);
    assert.deepEqual(await addressOf(box), fixed);
    await checkpoint(box, 'c');
    await restore(box, 'c');
    assert.deepEqual(await addressOf(box), fixed);
    await box.ok(['restart', '-t', '0', 'c']);
    assert.deepEqual(await addressOf(box), fixed);
  });
});

test('--ignore-static-ip and --ignore-static-mac take new addresses, and the static ones do not come back with a restart', async () => {
  await withFixedNetwork(async (box) => {
    const fixed = ['10.31.77.77', '92:d0:c6:0a:29:33'];
    await start(box, 'c', 'sleep 1000', '--network', `fixed:ip=${fixed[0]},mac=${fixed[1]}`);
    await checkpoint(box, 'c');
    await restore(box, '--ignore-static-ip', '--ignore-static-mac', 'c');
    const restored = await addressOf(box);
    assert.notEqual(restored[0], fixed[0]);
    assert.notEqual(restored[1], fixed[1]);
    assert.match(
      await inside(box, 'c', 'ip -4 addr show eth0; cat /sys/class/net/eth0/address'),
      new RegExp(`inet ${restored[0]}/24[^]*${restored[1]}`),
    );
    await box.ok(['restart', '-t', '0', 'c']);
    const restarted = await addressOf(box);
    assert.notEqual(restarted[0], fixed[0]);
    assert.notEqual(restarted[1], fixed[1]);
    assert.notEqual(restarted[0], restored[0], 'and the new ones are dynamic');
  });
});

test('--ignore-static-ip and --ignore-static-mac take new addresses in the place of dynamic ones as well', async () => {
  await withFixedNetwork(async (box) => {
    await start(box, 'c', 'sleep 1000', '--network', 'fixed');
    const first = await addressOf(box);
    await checkpoint(box, 'c');
    await restore(box, '--ignore-static-ip', '--ignore-static-mac', 'c');
    const second = await addressOf(box);
    assert.notEqual(second[0], first[0]);
    assert.notEqual(second[1], first[1]);
  });
});

test('Dynamic addresses do not become static', async () => {
  await withSandbox(async (box) => {
    await start(box, 'c', 'sleep 1000');
    const before = await inspect(box, 'c', ADDRESS);
    await checkpoint(box, 'c');
    await restore(box, 'c');
    assert.equal(await inspect(box, 'c', ADDRESS), before);
    await box.ok(['stop', '-t', '0', 'c']);
    // While it is stopped its address is free: another container may get it, and it starts with a new one.
    const [ip = ''] = before.split(' ');
    await box.ok(['run', '-d', '--name', 'taker', '--ip', ip, IMAGE, 'sleep', '1000']);
    await box.ok(['start', 'c']);
    const after = await inspect(box, 'c', ADDRESS);
    assert.notEqual(after.split(' ')[0], ip);
    assert.equal(await inspect(box, 'taker', '{{.NetworkSettings.IPAddress}}'), ip);
  });
});

test('--network none works', async () => {
  await withSandbox(async (box) => {
    await start(box, 'c', 'sleep 1000', '--network', 'none');
    await checkpoint(box, 'c');
    assert.equal(await stateOf(box, 'c'), CHECKPOINTED);
    await restore(box, 'c');
    assert.equal(await inside(box, 'c', 'ls /sys/class/net'), 'lo');
  });
});

test('--ipc host works', async () => {
  await withSandbox(async (box) => {
    await start(box, 'c', 'sleep 1000', '--ipc', 'host');
    const namespace = await inside(box, 'c', 'readlink /proc/1/ns/ipc');
    await checkpoint(box, 'c');
    await restore(box, 'c');
    assert.equal(await inside(box, 'c', 'readlink /proc/1/ns/ipc'), namespace);
  });
});

test('A checkpoint with TCP connections and neither option: fails, the container stays Exited, and a second try with --tcp-established succeeds', async () => {
  await withSandbox(async (box) => {
    await start(box, 'c', ECHO);
    await listens(box, 'c');
    const socket = await dial(await inspect(box, 'c', '{{.NetworkSettings.IPAddress}}'), 7000);
    try {
      assert.equal(await echoed(socket, 'before\n'), 'before\n');
      await checkpoint(box, '--tcp-established', 'c');
      await assertRefused(box, ['container', 'restore', 'c'], /./);
      assert.equal(await stateOf(box, 'c'), CHECKPOINTED);
      await restore(box, '--tcp-established', 'c');
      assert.equal(await stateOf(box, 'c'), RUNNING);
      assert.equal(await echoed(socket, 'after\n'), 'after\n');
    } finally {
      socket.destroy();
    }
  });
});

test('… and a second try with --tcp-close succeeds, though runc has no such option', async () => {
  await withSandbox(async (box) => {
    await start(box, 'c', ECHO);
    await listens(box, 'c');
    const host = await inspect(box, 'c', '{{.NetworkSettings.IPAddress}}');
    const socket = await dial(host, 7000);
    socket.on('error', () => undefined);
    try {
      assert.equal(await echoed(socket, 'before\n'), 'before\n');
      await checkpoint(box, '--tcp-established', 'c');
      await assertRefused(box, ['container', 'restore', 'c'], /./);
      await restore(box, '--tcp-close', 'c');
      assert.equal(await stateOf(box, 'c'), RUNNING);
      const again = await dial(host, 7000);
      assert.equal(await echoed(again, 'new\n'), 'new\n');
      again.destroy();
    } finally {
      socket.destroy();
    }
  });
});
