import assert from 'node:assert/strict';
import { mkdir, mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import type { ErrorCode } from '../model/errors.ts';
import { isCryopodError } from '../model/errors.ts';
import { networksDirectory, type StorePaths } from '../system/store-paths.ts';
import { overlaps } from './address.ts';
import { hostLinks, hostSubnets } from './host.ts';
import { cidrOf } from './ipam.ts';
import { leaseAddresses, releaseAllLeases, releaseLeases } from './leases.ts';
import {
  createNetwork,
  ensureDefaultNetwork,
  findNetwork,
  listNetworks,
  type NetworkRequest,
  removeNetwork,
} from './store.ts';
import { bridgePrefix, freeSubnet } from './subnets.ts';

let store: StorePaths;

beforeEach(async () => {
  const directory = await mkdtemp(join(tmpdir(), 'cryopod-networks-'));
  store = { root: join(directory, 'root'), runroot: join(directory, 'run') };
});
afterEach(async () => rm(join(store.root, '..'), { recursive: true }));

const refuses = (request: NetworkRequest, code: ErrorCode, message: RegExp): Promise<void> =>
  assert.rejects(createNetwork(store, request), (error) => {
    assert.ok(isCryopodError(error, code), String(error));
    assert.match(error.message, message);
    return true;
  });

test('the default network is made once, however many ask for it at the same time, and collides with nothing', async () => {
  const made = await Promise.all(Array.from({ length: 8 }, () => ensureDefaultNetwork(store)));
  assert.equal(new Set(made.map(({ id }) => id)).size, 1);
  const [network] = made;
  assert.equal(network?.name, 'podman');
  assert.equal(network.dns_enabled, false);
  assert.match(network.subnets[0]?.subnet ?? '', /^10\.(9\d|1\d\d|2\d\d)\.0\.0\/16$/);
  const [subnet] = network.subnets.map(cidrOf);
  assert.ok(subnet !== undefined && hostSubnets().every((other) => !overlaps(subnet, other)));
  assert.ok(!hostLinks().has(network.network_interface));
  assert.deepEqual(await readdir(networksDirectory(store)), ['podman.json']);
  assert.equal((await stat(join(networksDirectory(store), 'podman.json'))).mode & 0o777, 0o600);
});

test('two stores choose other bridges and begin at other subnets, and names fit an interface', async () => {
  const other = { root: join(store.root, '..', 'other'), runroot: store.runroot };
  const [one, two] = [await ensureDefaultNetwork(store), await ensureDefaultNetwork(other)];
  assert.notEqual(one.network_interface, two.network_interface);
  assert.ok(one.network_interface.length <= 15);
  assert.notEqual(one.id, two.id);
  assert.equal(bridgePrefix('/var/lib/cryopod'), 'cryo');
});

test('a network has the shape of podman and is found by name, ID and start of the ID', async () => {
  const made = await createNetwork(store, {
    name: 'app',
    subnets: ['198.51.100.0/24'],
    gateways: ['198.51.100.254'],
    ranges: ['198.51.100.128/25'],
    labels: { tier: 'db' },
    options: { mtu: '1400' },
    interfaceName: 'appbr0',
    internal: true,
  });
  assert.deepEqual(
    { ...made, id: '', created: '' },
    {
      name: 'app',
      id: '',
      driver: 'bridge',
      network_interface: 'appbr0',
      created: '',
      subnets: [
        {
          subnet: '198.51.100.0/24',
          gateway: '198.51.100.254',
          lease_range: { start_ip: '198.51.100.128', end_ip: '198.51.100.254' },
        },
      ],
      ipv6_enabled: false,
      internal: true,
      dns_enabled: true,
      labels: { tier: 'db' },
      options: { mtu: '1400' },
      ipam_options: { driver: 'host-local' },
    },
  );
  for (const key of ['app', made.id, made.id.slice(0, 12)]) {
    assert.deepEqual(await findNetwork(store, key), made);
  }
  assert.deepEqual(
    (await listNetworks(store)).map(({ name }) => name),
    ['app', 'podman'],
  );
});

test('subnets are chosen free of each other, IPv6 on demand, and names counted up', async () => {
  const networks = [
    await createNetwork(store, {}),
    await createNetwork(store, { ipv6: true }),
    await createNetwork(store, { subnets: ['fd00:77::/64'] }),
    await createNetwork(store, { subnets: ['fd00:78::/64'], ipv6: true }),
    await createNetwork(store, { internal: true, disableDns: true }),
  ];
  assert.deepEqual(
    networks.map(({ name }) => name),
    ['podman1', 'podman2', 'podman3', 'podman4', 'podman5'],
  );
  assert.deepEqual(
    networks.map(({ ipv6_enabled }) => ipv6_enabled),
    [false, true, true, true, false],
  );
  assert.deepEqual(
    networks.map(({ subnets }) => subnets.length),
    [1, 2, 1, 2, 1],
  );
  assert.equal(networks[4]?.subnets[0]?.gateway, undefined);
  const cidrs = (await listNetworks(store)).flatMap(({ subnets }) => subnets.map(cidrOf));
  cidrs.forEach((one, i) => {
    assert.ok(cidrs.slice(i + 1).every((two) => !overlaps(one, two)));
  });
});

test('a direct network takes the subnet and the interface that the host has already, and no name server', async () => {
  const subnets = ['127.0.0.0/24'];
  const direct = [
    { name: 'lan', driver: 'macvlan', interfaceName: 'lo', subnets },
    { name: 'vlan', driver: 'bridge', interfaceName: 'lo', options: { mode: 'unmanaged' }, subnets },
  ];
  for (const request of direct) {
    const { driver, network_interface, dns_enabled } = await createNetwork(store, request);
    assert.deepEqual([driver, network_interface, dns_enabled], [request.driver, 'lo', false]);
    await removeNetwork(store, request.name);
  }
});

test('what cannot be is refused and nothing is recorded', async () => {
  const taken = await createNetwork(store, { name: 'taken' });
  const subnet = taken.subnets[0]?.subnet ?? '';
  await refuses({ name: 'taken' }, 'NAME_IN_USE', /already used: network already exists/);
  await refuses({ name: 'a/b' }, 'USAGE', /names must match/);
  await refuses({ name: 'host' }, 'USAGE', /network mode/);
  await refuses({ driver: 'ipvlan' }, 'USAGE', /unsupported network driver "ipvlan"/);
  await refuses({ driver: 'macvlan' }, 'USAGE', /needs at least one subnet specified/);
  const macvlan = { driver: 'macvlan', subnets: ['10.203.0.0/24'] };
  await refuses({ ...macvlan, interfaceName: 'gone0' }, 'USAGE', /parent interface gone0 does not exist/);
  await refuses({ ...macvlan, options: { isolate: 'true' } }, 'USAGE', /unsupported vlan network option/);
  await refuses({ ...macvlan, options: { mode: 'l2' } }, 'USAGE', /invalid value "l2"/);
  await refuses({ options: { mode: 'l2' } }, 'USAGE', /invalid value "l2" of bridge network option mode/);
  await refuses({ subnets: ['10.1.2.3'] }, 'USAGE', /invalid CIDR address: 10\.1\.2\.3/);
  await refuses({ subnets: [subnet] }, 'ADDRESS_IN_USE', /already used/);
  await refuses({ subnets: ['127.0.0.0/24'] }, 'ADDRESS_IN_USE', /already used/);
  await refuses({ subnets: ['10.203.0.0/24'], gateways: ['10.1.0.1'] }, 'USAGE', /not in subnet/);
  await refuses({ subnets: ['10.203.0.0/24'], ranges: ['10.1.0.0/25'] }, 'USAGE', /does not lie in subnet/);
  await refuses({ options: { parent: 'x' } }, 'USAGE', /unsupported bridge network option parent/);
  await refuses({ options: { mtu: 'x' } }, 'USAGE', /invalid value "x"/);
  await refuses({ interfaceName: 'lo' }, 'NAME_IN_USE', /bridge name lo already in use/);
  await refuses({ interfaceName: 'a.b' }, 'USAGE', /invalid interface name/);
  await assert.rejects(
    findNetwork(store, 'nope'),
    /unable to find network with name or ID nope: network not found/,
  );
  await assert.rejects(removeNetwork(store, 'podman'), /default network podman cannot be removed/);
  assert.deepEqual(
    (await listNetworks(store)).map(({ name }) => name),
    ['podman', 'taken'],
  );
});

test('a removed network is gone, removing it again is no error, and a damaged record names its file', async () => {
  await createNetwork(store, { name: 'brief' });
  await removeNetwork(store, 'brief');
  await removeNetwork(store, 'brief');
  await assert.rejects(findNetwork(store, 'brief'), (error) => isCryopodError(error, 'NO_SUCH_NETWORK'));
  await mkdir(networksDirectory(store), { recursive: true });
  for (const text of ['{', 'null', '{"name":"bad"}']) {
    await writeFile(join(networksDirectory(store), 'bad.json'), text);
    await assert.rejects(listNetworks(store), /bad\.json cannot be read/);
  }
});

test('no subnet is chosen twice until the pool is empty, and then the error says so', () => {
  const used = Array.from({ length: 166 }, (_, i) => cidrOf({ subnet: `10.${90 + i}.0.0/16` }));
  const [free] = used.splice(37, 1);
  assert.deepEqual(freeSubnet('/some/root', 16, used), free);
  assert.throws(
    () => freeSubnet('/some/root', 16, free === undefined ? [] : [...used, free]),
    /could not find free subnet/,
  );
});

test('of many that lease at the same time each gets an address of its own, and releases give back only their own', async () => {
  const network = await createNetwork(store, { name: 'small', subnets: ['203.0.113.0/28'] });
  const ids = Array.from({ length: 13 }, (_, i) => `container${i}`);
  const leased = await Promise.all(ids.map((id) => leaseAddresses(store, network, id, [], new Map())));
  assert.equal(new Set(leased.flat()).size, ids.length);
  const inUse = (error: unknown): boolean => isCryopodError(error, 'ADDRESS_IN_USE');
  await assert.rejects(leaseAddresses(store, network, 'late', [], new Map()), inUse);
  const [first = ''] = leased.flat();
  await assert.rejects(leaseAddresses(store, network, 'late', [first], new Map()), inUse);
  // A container may ask again for what it has: a setup that is repeated.
  assert.deepEqual(
    await leaseAddresses(store, network, 'container0', [first], new Map([[first, 'container0']])),
    [first],
  );
  await releaseLeases(store, network, 'container0');
  await releaseAllLeases(store, 'container0');
  assert.deepEqual(await leaseAddresses(store, network, 'late', [], new Map()), [first]);
});
