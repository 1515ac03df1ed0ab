import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import type { NetworkConfig } from '../../src/model/container.ts';
import { isCryopodError } from '../../src/model/errors.ts';
import type { AttachedNetwork, PortMapping } from '../../src/model/network.ts';
import { establishedConnections } from '../../src/network/connections.ts';
import { isHeld, releaseNetwork } from '../../src/network/hold.ts';
import { hostLinks } from '../../src/network/host.ts';
import { statusAddresses } from '../../src/network/ipam.ts';
import { createNamespace, namespaceExists, removeNamespace } from '../../src/network/namespace.ts';
import { checkPortsFree, resolvePorts } from '../../src/network/ports.ts';
import { readRecord, recordPath, writeRecord } from '../../src/network/record.ts';
import { reservePorts } from '../../src/network/reserve.ts';
import {
  type ConnectedNetwork,
  type NetworkSetup,
  setupContainerNetwork,
  teardownContainerNetwork,
} from '../../src/network/setup.ts';
import { createNetwork, findNetwork } from '../../src/network/store.ts';
import { waitFor } from '../../src/system/clock.ts';
import { run, runOk } from '../../src/system/process.ts';
import { processStat } from '../../src/system/procfs.ts';
import { netavarkDirectory, netnsPath, type StorePaths } from '../../src/system/store-paths.ts';
import { enterHostNamespace } from '../fixtures/host-namespace.ts';
import { LIMIT_MS } from '../fixtures/limit.ts';

let directory: string;
let store: StorePaths;

before(async () => {
  await enterHostNamespace();
  directory = await mkdtemp(join(tmpdir(), 'cryopod-network-'));
  store = { root: join(directory, 'root'), runroot: join(directory, 'run') };
});

after(async () => {
  assert.deepEqual(leftovers(), []);
  await rm(directory, { recursive: true });
});

const leftovers = (): string[] => [...hostLinks()].filter((name) => name !== 'lo');

const idOf = (name: string): string => createHash('sha256').update(name).digest('hex');

interface Wanted extends Partial<NetworkSetup> {
  readonly networks?: readonly Partial<AttachedNetwork>[];
  readonly ports?: readonly PortMapping[];
  readonly mode?: NetworkConfig['mode'];
}

const setupOf = (name: string, wanted: Wanted = {}): NetworkSetup => ({
  id: idOf(name),
  name,
  hostname: name,
  config: {
    mode: wanted.mode ?? 'bridge',
    networks: (wanted.networks ?? []).map((network) => ({
      name: 'podman',
      staticIps: [],
      aliases: [],
      ...network,
    })),
    ports: wanted.ports ?? [],
    dnsServers: [],
    dnsSearch: [],
    dnsOptions: [],
    addHosts: [],
  },
  others: wanted.others ?? [],
  previous: wanted.previous,
  ignoreStaticIp: wanted.ignoreStaticIp,
  ignoreStaticMac: wanted.ignoreStaticMac,
  hold: wanted.hold ?? false,
});

const setUp = (name: string, wanted?: Wanted): Promise<ConnectedNetwork> =>
  setupContainerNetwork(store, setupOf(name, wanted));
const tearDown = (name: string): Promise<void> => teardownContainerNetwork(store, idOf(name));

function statusOf({ networks }: ConnectedNetwork, network = 'podman') {
  const status = networks[network] ?? assert.fail(`no status of ${network}`);
  const [link, details] = Object.entries(status.interfaces)[0] ?? assert.fail('no interface');
  return { link, mac: details.mac_address, address: statusAddresses(status)[0] ?? '', status };
}

const inside = (name: string, ...command: string[]): Promise<string> =>
  runOk(['nsenter', `--net=${netnsPath(store, idOf(name))}`, ...command], `run ${command[0]}`);

/** An echo server inside a container's namespace; ended by the caller. */
async function echoServer(name: string, port: number): Promise<ChildProcess> {
  const code = `require('node:net').createServer((s) => { s.on('error', () => 0); s.pipe(s); }).listen(${port}, () => console.log('ready'))`;
  const server = spawn('nsenter', [`--net=${netnsPath(store, idOf(name))}`, process.execPath, '-e', code]);
  await new Promise((resolve) => server.stdout?.once('data', resolve));
  return server;
}

/** What comes back for "ping", or the error, or silence after 2 s. */
function ping(port: number, host = '127.0.0.1'): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect(port, host);
    const end = (outcome: string): void => {
      clearTimeout(timer);
      socket.destroy();
      resolve(outcome);
    };
    const timer = setTimeout(() => end('silence'), 2000);
    socket.once('connect', () => socket.write('ping'));
    socket.once('data', (data) => end(String(data)));
    socket.once('error', (error) => end(error.message));
    socket.once('close', () => end('closed'));
  });
}

/** All firewall rules of the host that mention the text. */
async function rulesWith(text: string): Promise<string[]> {
  const dumps = [['iptables-save'], ['ip6tables-save'], ['nft', 'list', 'ruleset']];
  const outputs = await Promise.all(dumps.map((command) => run(command)));
  return outputs.flatMap(({ stdout }) => stdout.split('\n')).filter((line) => line.includes(text));
}

const tcp = (hostPort: number, containerPort: number, more: Partial<PortMapping> = {}): PortMapping => ({
  hostIp: '',
  hostPort,
  containerPort,
  range: 1,
  protocol: 'tcp',
  ...more,
});

test('a container gets a link, an address, a route and its published port, and leaves nothing of them', async () => {
  const connected = await setUp('web', { ports: [tcp(18080, 80)] });
  const { link, mac, address } = statusOf(connected);
  assert.equal(link, 'eth0');
  const shown = await inside('web', 'ip', 'addr', 'show', 'eth0');
  assert.ok(shown.includes(`${address}/16`) && shown.includes(mac), shown);
  assert.match(await inside('web', 'ip', 'route'), /default via/);
  const server = await echoServer('web', 80);
  assert.equal(await ping(18080), 'ping');
  assert.equal(await ping(80, address), 'ping');
  server.kill('SIGKILL');
  await tearDown('web');
  assert.deepEqual(await rulesWith(address), []);
  assert.deepEqual(await rulesWith('18080'), []);
  assert.equal(namespaceExists(netnsPath(store, idOf('web'))), false);
  assert.deepEqual(leftovers(), []);
  await tearDown('web');
});

test('setting up what is up already changes nothing, and a lost answer is made good', async () => {
  const first = await setUp('twice');
  assert.deepEqual(await setUp('twice'), first);
  await tearDown('twice');
});

test('the same addresses and MAC come back when the earlier status is given, and others when it is ignored', async () => {
  const first = statusOf(await setUp('again'));
  await tearDown('again');
  const previous = { podman: first.status };
  const second = statusOf(await setUp('again', { previous }));
  assert.deepEqual([second.address, second.mac], [first.address, first.mac]);
  await tearDown('again');
  const third = statusOf(await setUp('again', { previous, ignoreStaticIp: true, ignoreStaticMac: true }));
  assert.notEqual(third.address, first.address);
  assert.notEqual(third.mac, first.mac);
  await tearDown('again');
});

test('an address that a record or another setup has is never given twice', async () => {
  const held = statusOf(await setUp('one'));
  await tearDown('one');
  const others = [{ id: idOf('one'), networks: { podman: held.status } }];
  const refused = setUp('two', { others, networks: [{ staticIps: [held.address] }] });
  await assert.rejects(refused, (error) => isCryopodError(error, 'ADDRESS_IN_USE'));
  assert.equal(namespaceExists(netnsPath(store, idOf('two'))), false);
  const names = ['a', 'b', 'c', 'd', 'e', 'f'];
  const addresses = await Promise.all(names.map(async (name) => statusOf(await setUp(name)).address));
  assert.equal(new Set(addresses).size, names.length);
  await Promise.all(names.map(tearDown));
});

test('while the network is held a published port is silent, and answers after the release', async () => {
  const connected = await setUp('held', { ports: [tcp(0, 80)], hold: true });
  const port = connected.ports[0]?.hostPort ?? 0;
  assert.ok(port > 0);
  assert.equal(await isHeld(netnsPath(store, idOf('held'))), true);
  // No server yet: without the hold this would be refused.
  assert.equal(await ping(port), 'silence');
  const server = await echoServer('held', 80);
  await releaseNetwork(netnsPath(store, idOf('held')));
  assert.equal(await ping(port), 'ping');
  server.kill('SIGKILL');
  await tearDown('held');
});

test('a host port in use is refused in words that name it, and nothing is left', async () => {
  const server = createServer();
  await new Promise<void>((resolve) => {
    server.listen(18081, resolve);
  });
  try {
    await assert.rejects(setUp('port', { ports: [tcp(18081, 80)] }), (error) => {
      assert.ok(isCryopodError(error, 'PORT_IN_USE'));
      assert.match(error.message, /:18081: bind: address already in use/);
      return true;
    });
    assert.deepEqual(leftovers(), []);
    assert.equal(existsSync(netnsPath(store, idOf('port'))), false);
  } finally {
    server.close();
  }
});

test('a static address, MAC and interface name are given as asked', async () => {
  await createNetwork(store, { name: 'fixed', subnets: ['10.201.5.0/24'] });
  const connected = await setUp('static', {
    networks: [
      { name: 'fixed', staticIps: ['10.201.5.77'], staticMac: '92:D0:C6:0A:29:33', interfaceName: 'lan7' },
    ],
  });
  const { link, mac, address } = statusOf(connected, 'fixed');
  assert.deepEqual([link, mac, address], ['lan7', '92:d0:c6:0a:29:33', '10.201.5.77']);
  assert.match(
    await inside('static', 'ip', 'addr', 'show', 'lan7'),
    /92:d0:c6:0a:29:33[\s\S]*10\.201\.5\.77\/24/,
  );
  await tearDown('static');
});

test('containers of a user-defined network find each other by name and alias, and the DNS server ends with them', async () => {
  await createNetwork(store, { name: 'named' });
  const one = await setUp('dns-one', { networks: [{ name: 'named' }] });
  const two = await setUp('dns-two', { networks: [{ name: 'named', aliases: ['second'] }] });
  const server = statusOf(one, 'named').status.dns_server_ips?.[0] ?? '';
  const lookup = (name: string): Promise<string> =>
    inside(
      'dns-one',
      process.execPath,
      '-e',
      `const r = new (require('node:dns').promises.Resolver)({ timeout: 2000 }); r.setServers(['${server}']); r.resolve4('${name}').then((a) => console.log(a.join()))`,
    );
  for (const name of ['dns-two', 'second', idOf('dns-two').slice(0, 12)]) {
    assert.equal((await lookup(name)).trim(), statusOf(two, 'named').address, name);
  }
  const pid = await aardvarkPid();
  assert.ok(pid !== undefined && processStat(pid) !== undefined);
  await tearDown('dns-one');
  await tearDown('dns-two');
  // Where no init reaps orphans a zombie may stay; it serves nothing any more.
  assert.ok(await waitFor(() => ['Z', undefined].includes(processStat(pid)?.state), LIMIT_MS));
});

const aardvarkPid = async (): Promise<number | undefined> => {
  const path = join(netavarkDirectory(store), 'aardvark-dns', 'aardvark.pid');
  return existsSync(path) ? Number(await readFile(path, 'utf8')) : undefined;
};

test('several networks and IPv6 work together in one container', async () => {
  await createNetwork(store, { name: 'dual', ipv6: true, disableDns: true });
  const connected = await setUp('multi', {
    networks: [{ name: 'podman' }, { name: 'dual' }],
    ports: [tcp(18082, 80)],
  });
  assert.deepEqual(Object.keys(connected.networks), ['podman', 'dual']);
  const addresses = statusAddresses(statusOf(connected, 'dual').status);
  assert.equal(addresses.length, 2);
  const shown = await inside('multi', 'ip', 'addr', 'show', 'eth1');
  for (const address of addresses) assert.ok(shown.includes(address), address);
  const server = await echoServer('multi', 80);
  assert.equal(await ping(80, addresses[1]), 'ping');
  assert.equal(await ping(18082), 'ping');
  server.kill('SIGKILL');
  await tearDown('multi');
  assert.deepEqual(leftovers(), []);
  assert.deepEqual(await rulesWith(addresses[1] ?? ''), []);
});

test('mode none has a namespace with lo alone; mode host has none', async () => {
  const none = await setUp('none', { mode: 'none' });
  assert.deepEqual(none.networks, {});
  assert.match(await inside('none', 'ip', '-br', 'link'), /^lo +UNKNOWN[^\n]*\n$/);
  await tearDown('none');
  assert.equal((await setUp('host', { mode: 'host' })).netns, undefined);
});

test('two stores on one host share nothing, although their default networks have the same name', async () => {
  const other = { root: join(directory, 'root2'), runroot: join(directory, 'run2') };
  const first = await setUp('mine', { ports: [tcp(18083, 80)] });
  const second = await setupContainerNetwork(other, setupOf('yours', { ports: [tcp(18084, 80)] }));
  assert.notEqual(statusOf(first).address, statusOf(second).address);
  await teardownContainerNetwork(other, idOf('yours'));
  const server = await echoServer('mine', 80);
  assert.equal(await ping(18083), 'ping');
  server.kill('SIGKILL');
  await tearDown('mine');
});

test('a container whose namespace was lost is torn down completely, while another one stays connected', async () => {
  const lost = await setUp('lost', { networks: [{ name: 'named' }], ports: [tcp(18085, 80)] });
  await setUp('stays', { networks: [{ name: 'named' }], ports: [tcp(18086, 80)] });
  await removeNamespace(netnsPath(store, idOf('lost')));
  await tearDown('lost');
  assert.deepEqual(await rulesWith('18085'), []);
  assert.deepEqual(await rulesWith(`${statusOf(lost, 'named').address}:`), []);
  const server = await echoServer('stays', 80);
  assert.equal(await ping(18086), 'ping');
  server.kill('SIGKILL');
  await removeNamespace(netnsPath(store, idOf('stays')));
  await tearDown('stays');
  assert.deepEqual(await rulesWith('18086'), []);
  assert.deepEqual(leftovers(), []);
});

test('a setup that was cut off at any point is torn down by the ID alone, and can be done again', async () => {
  for (const netavarkRan of [false, true]) {
    await setUp('cut', { ports: [tcp(18087, 80)] });
    const record = (await readRecord(store, idOf('cut'))) ?? assert.fail();
    if (!netavarkRan) {
      await tearDown('cut');
      await createNamespace(netnsPath(store, idOf('cut')));
    }
    await writeRecord(store, { request: record.request });
    await tearDown('cut');
    assert.deepEqual(await rulesWith('18087'), []);
    assert.deepEqual(leftovers(), []);
    assert.equal(existsSync(netnsPath(store, idOf('cut'))), false);
  }
  await setUp('cut', { ports: [tcp(18087, 80)] });
  await writeRecord(store, { request: ((await readRecord(store, idOf('cut'))) ?? assert.fail()).request });
  await setUp('cut', { ports: [tcp(18087, 80)] });
  await tearDown('cut');
});

test('after a reboot there is nothing to tear down, and the leftover files go', async () => {
  await setUp('rebooted');
  const path = recordPath(store, idOf('rebooted'));
  const record = JSON.parse(await readFile(path, 'utf8'));
  await tearDown('rebooted');
  await writeFile(path, JSON.stringify({ ...record, boot: 'another' }));
  await writeFile(netnsPath(store, idOf('rebooted')), '');
  await tearDown('rebooted');
  assert.deepEqual([existsSync(path), existsSync(netnsPath(store, idOf('rebooted')))], [false, false]);
});

test('what netavark says is in the error when it fails, and nothing is left', async () => {
  const { network_interface: bridge } = await findNetwork(store, 'podman');
  await runOk(['ip', 'link', 'add', bridge, 'type', 'veth'], 'occupy the name of the bridge');
  try {
    await assert.rejects(setUp('failing'), (error) => {
      assert.ok(isCryopodError(error, 'NETWORK_FAILED'));
      assert.match(error.message, /could not connect container failing to podman: .*already exists/);
      return true;
    });
    assert.equal(existsSync(netnsPath(store, idOf('failing'))), false);
  } finally {
    await runOk(['ip', 'link', 'delete', bridge], 'free the name');
  }
});

test('connected sockets are found with their process, and none where there is none', async () => {
  await setUp('busy');
  const server = await echoServer('busy', 80);
  const pid = server.pid ?? 0;
  assert.deepEqual(establishedConnections(pid), []);
  const { address } = statusOf(await setUp('busy'));
  const client = connect(80, address);
  await new Promise((resolve) => client.once('connect', resolve));
  const found = await waitFor(() => establishedConnections(pid).at(0), LIMIT_MS);
  assert.equal(found?.local, `${address}:80`);
  assert.equal(found?.remote, `${client.localAddress}:${client.localPort}`);
  assert.deepEqual([found?.state, found?.pid], ['ESTABLISHED', pid]);
  client.destroy();
  server.kill('SIGKILL');
  await tearDown('busy');
});

test('reserved ports cannot be taken by others until they are closed, and free ports are found for ranges', async () => {
  const wanted = await resolvePorts([tcp(0, 80, { range: 3 }), tcp(0, 90, { protocol: 'udp' })]);
  const reservation = await reservePorts(wanted);
  assert.equal(reservation.fds.length, 4);
  const [range, udp] = [wanted[0] ?? assert.fail(), wanted[1] ?? assert.fail()];
  for (const taken of [tcp(range.hostPort + 2, 1), { ...udp, hostIp: '127.0.0.1' }]) {
    await assert.rejects(checkPortsFree([taken]), (error) => isCryopodError(error, 'PORT_IN_USE'));
    await assert.rejects(reservePorts([taken]), (error) => isCryopodError(error, 'PORT_IN_USE'));
  }
  const nowhere = tcp(18088, 80, { hostIp: '203.0.113.9' });
  await assert.rejects(reservePorts([nowhere]), /EADDRNOTAVAIL/);
  reservation.close();
  reservation.close();
  await checkPortsFree(wanted);
  const again = await reservePorts([
    { ...range, hostIp: '127.0.0.1' },
    { ...range, hostIp: '::1' },
  ]);
  assert.equal(again.fds.length, 6);
  again.close();
});
