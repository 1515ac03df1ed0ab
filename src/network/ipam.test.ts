import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { isCryopodError } from '../model/errors.ts';
import type { Network, Subnet } from '../model/network.ts';
import { formatAddress, formatCidr, overlaps, parseAddress, parseCidr } from './address.ts';
import { assignAddresses, checkMac, chooseAddress, randomMac, takenAddresses } from './ipam.ts';

const network = (subnets: readonly Subnet[]): Network => ({
  name: 'net',
  id: 'a'.repeat(64),
  driver: 'bridge',
  network_interface: 'cryo1',
  created: '2026-01-01T00:00:00Z',
  subnets,
  ipv6_enabled: false,
  internal: false,
  dns_enabled: true,
  ipam_options: { driver: 'host-local' },
});

const inUse = (error: unknown): boolean => isCryopodError(error, 'ADDRESS_IN_USE');

test('any address survives being read and written', () => {
  fc.assert(
    fc.property(fc.ipV4(), (text) => {
      const address = parseAddress(text);
      assert.ok(address !== undefined);
      assert.equal(formatAddress(address), text);
    }),
  );
  fc.assert(
    fc.property(fc.ipV6(), (text) => {
      const address = parseAddress(text);
      assert.ok(address !== undefined);
      assert.deepEqual(parseAddress(formatAddress(address)), address);
    }),
  );
});

test('a CIDR loses its host bits, and what is none is refused', () => {
  const cidr = parseCidr('10.90.1.7/16');
  assert.ok(cidr !== undefined);
  assert.equal(formatCidr(cidr), '10.90.0.0/16');
  const v6 = parseCidr('fd00:1::5/64');
  assert.ok(v6 !== undefined);
  assert.equal(formatCidr(v6), 'fd00:1::/64');
  for (const text of ['10.0.0.0', '10.0.0.0/33', 'x/8', '10.0.0.0/8/8', '']) {
    assert.equal(parseCidr(text), undefined, text);
  }
});

test('subnets overlap when one holds the other, and not across families', () => {
  const cidr = (text: string) => parseCidr(text) ?? assert.fail(text);
  assert.ok(overlaps(cidr('10.0.0.0/8'), cidr('10.90.0.0/24')));
  assert.ok(!overlaps(cidr('10.90.0.0/24'), cidr('10.90.1.0/24')));
  assert.ok(!overlaps(cidr('0.0.0.0/0'), cidr('::/0')));
});

test('addresses are given out one after the other, wrapping around, never the gateway or the broadcast', () => {
  const subnet: Subnet = { subnet: '10.1.0.0/29', gateway: '10.1.0.1' };
  const taken = new Map<string, string>();
  const given: string[] = [];
  let last: string | undefined;
  for (let i = 0; i < 5; i += 1) {
    last = chooseAddress(subnet, taken, last);
    taken.set(last, 'c');
    given.push(last);
  }
  assert.deepEqual(given, ['10.1.0.2', '10.1.0.3', '10.1.0.4', '10.1.0.5', '10.1.0.6']);
  assert.throws(() => chooseAddress(subnet, taken, last), inUse);
  taken.delete('10.1.0.3');
  assert.equal(chooseAddress(subnet, taken, last), '10.1.0.3');
});

test('an address that was just released is not given out next', () => {
  assert.equal(
    chooseAddress({ subnet: '10.1.0.0/24', gateway: '10.1.0.1' }, new Map(), '10.1.0.2'),
    '10.1.0.3',
  );
});

test('a lease range bounds what is given out', () => {
  const subnet = {
    subnet: '10.1.0.0/24',
    gateway: '10.1.0.1',
    lease_range: { start_ip: '10.1.0.200', end_ip: '10.1.0.201' },
  };
  const taken = new Map([['10.1.0.200', 'a']]);
  assert.equal(chooseAddress(subnet, taken), '10.1.0.201');
  taken.set('10.1.0.201', 'b');
  assert.throws(() => chooseAddress(subnet, taken), inUse);
});

test('one address is assigned for each subnet, the asked one where it fits', () => {
  const dual = network([
    { subnet: '10.1.0.0/24', gateway: '10.1.0.1' },
    { subnet: 'fd00:9::/64', gateway: 'fd00:9::1' },
  ]);
  assert.deepEqual(assignAddresses(dual, [], new Map()), ['10.1.0.2', 'fd00:9::2']);
  assert.deepEqual(assignAddresses(dual, ['fd00:9:0:0::0042'], new Map()), ['10.1.0.2', 'fd00:9::42']);
});

test('an asked address that is taken, reserved or outside is refused, and the message says why', () => {
  const one = network([{ subnet: '10.1.0.0/24', gateway: '10.1.0.1' }]);
  const cases: readonly [string, RegExp][] = [
    ['10.1.0.9', /is already allocated to container ID abc/],
    ['10.1.0.1', /gateway/],
    ['10.1.0.0', /network or broadcast/],
    ['10.1.0.255', /network or broadcast/],
    ['10.2.0.9', /not in any subnet on network net/],
  ];
  const taken = new Map([['10.1.0.9', 'abc']]);
  for (const [ip, message] of cases) {
    assert.throws(
      () => assignAddresses(one, [ip], taken),
      (error) => {
        assert.ok(inUse(error), ip);
        assert.match(String(error), message);
        return true;
      },
    );
  }
});

test('taken addresses come from the states of other containers, by network', () => {
  const status = (ip: string) => ({
    interfaces: { eth0: { mac_address: '02:00:00:00:00:01', subnets: [{ ipnet: `${ip}/24` }] } },
  });
  const taken = takenAddresses(
    [
      { id: 'one', networks: { net: status('10.1.0.2') } },
      { id: 'two', networks: { other: status('10.1.0.3') } },
    ],
    'net',
  );
  assert.deepEqual([...taken], [['10.1.0.2', 'one']]);
});

test('generated MAC addresses are local and unicast, and given ones are normalised or refused', () => {
  for (let i = 0; i < 100; i += 1) {
    const first = Number.parseInt(randomMac().slice(0, 2), 16);
    assert.equal(first & 3, 2);
  }
  assert.equal(checkMac('92-D0-c6-0A-29-33'), '92:d0:c6:0a:29:33');
  for (const text of ['92:d0:c6:0a:29', '01:00:5e:00:00:01', 'zz:d0:c6:0a:29:33', '']) {
    assert.throws(
      () => checkMac(text),
      (error) => isCryopodError(error, 'USAGE'),
      text,
    );
  }
});
