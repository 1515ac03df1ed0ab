import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type NetworkFlags, parseAddHost, parseMac, parseNetworkConfig, parseNetworks } from './network.ts';
import { assertRefused } from './testing.ts';

const networks = (...values: string[]) => parseNetworks(values, 'podman');
const empty = {
  network: [],
  networkAlias: [],
  publish: [],
  dns: [],
  dnsSearch: [],
  dnsOption: [],
  addHost: [],
};
const config = (flags: Partial<NetworkFlags>) => parseNetworkConfig({ ...empty, ...flags }, 'podman');
const bare = (name: string) => ({ name, staticIps: [], aliases: [] });

test('the default is the default network', () => {
  for (const values of [[], ['bridge'], ['default'], ['private']]) {
    const { mode, networks: list } = networks(...values);
    assert.deepEqual([mode, list.map(({ name }) => name)], ['bridge', ['podman']]);
  }
});

test('modes are read with their targets', () => {
  assert.deepEqual(networks('none'), { mode: 'none', networks: [] });
  assert.deepEqual(networks('host'), { mode: 'host', networks: [] });
  assert.deepEqual(networks('container:web'), { mode: 'container', target: 'web', networks: [] });
  assert.deepEqual(networks('ns:/run/netns/a'), { mode: 'ns', target: '/run/netns/a', networks: [] });
});

test('networks take addresses, names and several of them', () => {
  assert.deepEqual(
    networks('a:ip=10.0.0.2,ip6=fd00::2,mac=AA-bb-cc-dd-ee-ff,alias=x,alias=y,interface_name=eth7').networks,
    [
      {
        name: 'a',
        staticIps: ['10.0.0.2', 'fd00::2'],
        staticMac: 'aa:bb:cc:dd:ee:ff',
        aliases: ['x', 'y'],
        interfaceName: 'eth7',
      },
    ],
  );
  assert.deepEqual(networks('a,b').networks, [bare('a'), bare('b')]);
  assert.deepEqual(
    networks('a', 'b:ip=10.0.0.3').networks.map(({ name }) => name),
    ['a', 'b'],
  );
  assert.deepEqual(networks('bridge:ip=10.88.0.9').networks[0]?.staticIps, ['10.88.0.9']);
});

test('wrong networks are refused with the words of podman', () => {
  assertRefused(() => networks('a:ip=1.2.3'), 'invalid option for network a: invalid ip address "1.2.3"');
  assertRefused(() => networks('a:mac=zz'), 'invalid option for network a: address zz: invalid MAC address');
  assertRefused(() => networks('a:alias='), 'invalid option for network a: alias cannot be empty');
  assertRefused(() => networks('a:foo=1'), 'invalid option for network a: unknown option "foo=1"');
  assertRefused(() => networks(':ip=1.2.3.4'), /^network name cannot be empty/);
  assertRefused(() => networks('container:'), 'namespace mode container requires a value');
  assertRefused(() => networks('pasta'), 'invalid network "pasta"');
  assertRefused(
    () => networks('host', 'a'),
    'cannot set multiple networks without bridge network mode, selected mode host: invalid argument',
  );
  assertRefused(
    () => networks('a', 'none'),
    'can only set extra network names, selected mode none conflicts with bridge: invalid argument',
  );
});

test('--ip, --mac-address and --network-alias go to the one network', () => {
  const {
    networks: [first],
  } = config({ ip: '10.0.0.5', macAddress: '02:00:00:00:00:01', networkAlias: ['db'] });
  assert.deepEqual(
    [first?.staticIps, first?.staticMac, first?.aliases],
    [['10.0.0.5'], '02:00:00:00:00:01', ['db']],
  );
  assertRefused(() => config({ ip: 'x' }), '"x" is not an ip address');
  assertRefused(
    () => config({ ip: '1.2.3.4', network: ['host'] }),
    '--ip can only be set when the network mode is bridge: invalid argument',
  );
  assertRefused(
    () => config({ ip: '1.2.3.4', network: ['a', 'b'] }),
    '--ip can only be set for a single network: invalid argument',
  );
  assertRefused(() => config({ macAddress: '1:2' }), 'address 1:2: invalid MAC address');
  assert.deepEqual(
    config({ network: ['a', 'b'], networkAlias: ['x'] }).networks.map(({ aliases }) => aliases),
    [['x'], ['x']],
  );
});

test('DNS settings are checked', () => {
  const { dnsServers, dnsSearch } = config({
    dns: ['1.1.1.1', 'fd00::1'],
    dnsSearch: ['example.com', 'a_b.lan'],
  });
  assert.deepEqual(
    [dnsServers, dnsSearch],
    [
      ['1.1.1.1', 'fd00::1'],
      ['example.com', 'a_b.lan'],
    ],
  );
  assertRefused(() => config({ dns: ['one'] }), 'one is not an ip address');
  assertRefused(() => config({ dnsSearch: ['a b'] }), 'a b is not a valid domain');
  assertRefused(() => config({ dnsSearch: ['.', 'a'] }), /cannot pass additional search domains/);
  assertRefused(
    () => config({ dns: ['1.1.1.1'], network: ['none'] }),
    'conflicting options: dns and the network mode: none',
  );
});

test('hosts are added by name and address', () => {
  assert.deepEqual(parseAddHost('a;b:fd00::1'), [
    { host: 'a', ip: 'fd00::1' },
    { host: 'b', ip: 'fd00::1' },
  ]);
  assert.deepEqual(parseAddHost('a:[::1]'), [{ host: 'a', ip: '::1' }]);
  assert.deepEqual(parseAddHost('gw:host-gateway'), [{ host: 'gw', ip: 'host-gateway' }]);
  assertRefused(() => parseAddHost('a'), 'bad format for add-host: "a"');
  assertRefused(() => parseAddHost('a:b'), 'invalid IP address in add-host: "b"');
  assertRefused(() => parseAddHost('a;:1.2.3.4'), 'hostname in add-host "a;:1.2.3.4" is empty');
  assertRefused(() => parseAddHost('a\n1.1.1.1 evil:1.2.3.4'), /is not valid/);
  assertRefused(() => parseMac('02:00:00-00:00:01'), /invalid MAC address/);
});
