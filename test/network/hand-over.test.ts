import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import {
  announceAddress,
  giveAddressBack,
  type Moving,
  takeAddressAway,
} from '../../src/engine/network/hand-over.ts';
import type { NetworkConfig } from '../../src/model/container.ts';
import { releaseNetwork } from '../../src/network/hold.ts';
import { hostLinks } from '../../src/network/host.ts';
import { setupContainerNetwork, teardownContainerNetwork } from '../../src/network/setup.ts';
import { createNetwork } from '../../src/network/store.ts';
import { waitFor } from '../../src/system/clock.ts';
import { runOk } from '../../src/system/process.ts';
import type { StorePaths } from '../../src/system/store-paths.ts';
import { enterHostNamespace } from '../fixtures/host-namespace.ts';
import { LIMIT_MS } from '../fixtures/limit.ts';

/*
 * One layer-2 segment: the bridge `lan`, on which the test itself is the client. Two stores stand for two hosts of the
 * segment; with macvlan each has an uplink of its own.
 */
const ADDRESSES = ['10.78.0.50', 'fd78::50'] as const;
const MAC = '02:00:00:78:00:50';
const ID = createHash('sha256').update('moving').digest('hex');
const ip = (line: string): Promise<string> => runOk(['ip', ...line.split(' ')], `run ip ${line}`);

interface Host {
  readonly name: string;
  readonly store: StorePaths;
}

let directory: string;
const hosts: Host[] = [];

before(async () => {
  await enterHostNamespace();
  directory = await mkdtemp(join(tmpdir(), 'cryopod-hand-over-'));
  await ip('link add lan type bridge');
  await ip('link set lan up');
  await ip('address add 10.78.0.1/24 dev lan');
  await ip('address add fd78::1/64 dev lan nodad');
  for (const [i, name] of ['one', 'two'].entries()) {
    hosts.push({
      name,
      store: { root: join(directory, name, 'root'), runroot: join(directory, name, 'run') },
    });
    await ip(`link add up-${name} type veth peer name port-${name}`);
    // High, so that nearly every other port would give the bridge a lower one.
    await ip(`link set port-${name} address fe:00:00:78:00:0${i}`);
    await ip(`link set port-${name} master lan up`);
    await ip(`link set up-${name} up`);
  }
});

after(() => rm(directory, { recursive: true }));

const network: NetworkConfig = {
  mode: 'bridge',
  networks: [{ name: 'lan', staticIps: ADDRESSES, staticMac: MAC, aliases: [] }],
  ports: [],
  dnsServers: [],
  dnsSearch: [],
  dnsOptions: [],
  addHosts: [],
};

async function setUp({ store, name }: Host, held: boolean): Promise<Moving> {
  const { netns } = await setupContainerNetwork(store, {
    ...{ id: ID, name, hostname: name, config: network, others: [], hold: held },
  });
  return { config: { id: ID, network }, state: { netns } };
}

const netnsOf = ({ state }: Moving): string => state.netns ?? assert.fail('no namespace');

/** Tells who it is, inside of a container's namespace. */
async function server(name: string, netns: string): Promise<ChildProcess> {
  const code = `require('node:net').createServer((s) => s.on('error', () => 0).end('${name}')).listen(7000, '::', () => console.log('ready'))`;
  const child = spawn('nsenter', [`--net=${netns}`, process.execPath, '-e', code]);
  await new Promise((resolve) => child.stdout?.once('data', resolve));
  return child;
}

/** Who answers at the address. */
function who(address: string): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect(7000, address);
    const end = (outcome: string): void => {
      clearTimeout(timer);
      socket.destroy();
      resolve(outcome);
    };
    const timer = setTimeout(() => end('silence'), 1000);
    socket.once('data', (data) => end(String(data)));
    socket.once('error', (error) => end(error.message));
  });
}

/** Fails unless this one answers a client that hears of the addresses for the first time. */
async function answers(expected: string): Promise<void> {
  await ip('neigh flush dev lan');
  assert.deepEqual(await Promise.all(ADDRESSES.map(who)), [expected, expected]);
}

/** What a neighbour believes that has talked to another MAC, after it has heard the announcement. */
async function announcedTo(announce: () => Promise<void>): Promise<void> {
  for (const address of ADDRESSES)
    await ip(`neigh replace ${address} lladdr 02:00:00:78:00:99 dev lan nud stale`);
  await announce();
  const known = async (): Promise<boolean> => {
    const neighbours = await ip('neigh show dev lan');
    return ADDRESSES.every((address) => neighbours.includes(`${address} lladdr ${MAC} `));
  };
  assert.ok(await waitFor(known, LIMIT_MS), await ip('neigh show dev lan'));
}

/** What the container's namespace knows of links, addresses and routes, without counters and times. */
const configuration = async (netns: string): Promise<string[]> =>
  await Promise.all(
    ['-o address show', 'route show', '-6 route show'].map((line) =>
      runOk(['nsenter', `--net=${netns}`, 'ip', ...line.split(' ')], 'read the configuration'),
    ),
  );

/** MAC of the segment's bridge: by which neighbours know its host. */
const bridgeMac = async (): Promise<unknown> =>
  JSON.parse(await runOk(['ip', '-json', 'link', 'show', 'lan'], 'look at the bridge'))[0].address;

/** The port of the segment's bridge behind which the MAC was seen last. */
async function port(): Promise<string> {
  const entries = JSON.parse(await runOk(['bridge', '-json', 'fdb', 'show', 'br', 'lan'], 'read the fdb'));
  return (entries as { mac: string; ifname: string; state: string }[]).flatMap(({ mac, ifname, state }) =>
    mac === MAC && state !== 'permanent' ? [ifname] : [],
  )[0] as string;
}

const KINDS = {
  'an unmanaged bridge': () => ({ options: { mode: 'unmanaged' }, interfaceName: 'lan' }),
  macvlan: ({ name }: Host) => ({ driver: 'macvlan', interfaceName: `up-${name}` }),
};

for (const [kind, request] of Object.entries(KINDS)) {
  test(`with ${kind}, an address is with one host at a time, and comes back as it was`, async () => {
    const [source, target] = hosts as [Host, Host];
    const links = [...hostLinks()];
    const mac = await bridgeMac();
    for (const host of hosts) {
      const subnets = ['10.78.0.0/24', 'fd78::/64'];
      const gateways = ['10.78.0.1', 'fd78::1'];
      await createNetwork(host.store, { name: 'lan', subnets, gateways, ...request(host) });
    }
    const here = await setUp(source, false);
    const children = [await server('source', netnsOf(here))];
    try {
      await answers('source');
      assert.equal(await bridgeMac(), mac);
      const before = await configuration(netnsOf(here));
      const portHere = await port();

      await takeAddressAway(source, here);
      await answers('silence');

      const there = await setUp(target, true);
      children.push(await server('target', netnsOf(there)));
      await announcedTo(() => announceAddress(target, there));
      const portThere = await port();
      assert.notEqual(portThere, portHere);
      // Held: packets are dropped, but neighbours find the address.
      await answers('silence');
      await releaseNetwork(netnsOf(there));
      await answers('target');

      await takeAddressAway(target, there);
      await giveAddressBack(source, here);
      assert.equal(await port(), portHere);
      await answers('source');
      assert.deepEqual(await configuration(netnsOf(here)), before);
    } finally {
      for (const child of children) child.kill('SIGKILL');
      for (const { store } of hosts) {
        await teardownContainerNetwork(store, ID);
        await rm(join(store.root, 'networks'), { recursive: true });
      }
    }
    assert.ok(
      await waitFor(() => [...hostLinks()].join() === links.join(), LIMIT_MS),
      [...hostLinks()].join(),
    );
  });
}
