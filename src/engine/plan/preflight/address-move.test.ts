import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type AddressMoveFacts, addressMoveFindings, type MovingNetwork } from './address-move.ts';

const lan: MovingNetwork = {
  name: 'lan',
  direct: true,
  subnets: ['192.0.2.0/24'],
  addresses: ['192.0.2.7'],
};

const told = (facts: Partial<AddressMoveFacts>): string[] =>
  addressMoveFindings({
    ...{ mode: 'bridge', source: [lan], target: [lan], connections: true, publishes: false },
    ...facts,
  }).map(({ level, sentence }) => `${level}: ${sentence}`);

test('an address in a segment that both hosts share moves along', () => {
  assert.deepEqual(told({}), ['ok: lan: 192.0.2.7 moves along']);
  assert.deepEqual(told({ mode: 'none', source: [] }), ['ok: none: it has no address to move']);
});

const cases: readonly (readonly [Partial<AddressMoveFacts>, RegExp])[] = [
  [{ source: [{ ...lan, direct: false }] }, /the network lan is a bridge of the source alone/],
  [{ target: [{ ...lan, direct: false }] }, /the network lan of the target is a bridge of its own/],
  [
    { target: [{ ...lan, subnets: ['10.0.0.0/8'] }] },
    /the network lan of the target has the subnet 10\.0\.0\.0\/8, not 192\.0\.2\.0\/24/,
  ],
  [{ mode: 'host', source: [] }, /its address is that of its host/],
];

for (const [facts, why] of cases) {
  test(`an address that stays is an obstacle to connections alone: ${why.source}`, () => {
    const [refused, ...others] = told(facts);
    assert.match(refused ?? '', new RegExp(`^obstacle: its connections cannot move along: ${why.source}`));
    assert.deepEqual(others, []);
    const [warned] = told({ ...facts, connections: false });
    assert.match(warned ?? '', new RegExp(`^warning: its address does not move along: ${why.source}`));
  });
}

test('a missing network is told, and that published ports are those of the target', () => {
  assert.deepEqual(told({ target: [] }), ['warning: the target has no network lan']);
  const bridge = { ...lan, direct: false };
  const [, ports] = told({ source: [bridge], target: [bridge], connections: false, publishes: true });
  assert.match(ports ?? '', /^warning: its published ports will be those of the target/);
});
