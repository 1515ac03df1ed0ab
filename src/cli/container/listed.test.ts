import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sampleContainer } from '../../model/testing.ts';
import { listedFields, listedJson } from './listed.ts';
import { parseOrder, sortListed } from './listed-order.ts';

const NOW = Date.parse('2026-11-23T09:50:21Z');
const port = { hostIp: '', containerPort: 80, hostPort: 8080, range: 1, protocol: 'tcp' } as const;

const running = sampleContainer(
  {
    command: ['sleep', '1000', 'and', 'more'],
    labels: { b: '2', a: '1' },
    network: { ...sampleContainer().config.network, ports: [port] },
  },
  { status: 'running', pid: 7, startedAt: '2026-11-23T09:48:21.000000000Z' },
);

test('The columns of a container read as in podman', () => {
  const fields = listedFields(running, { whole: false, now: NOW });
  assert.equal(fields.ID, 'a1a1a1a1a1a1');
  assert.equal(fields.Command, 'sleep 1000 and mo...');
  assert.equal(fields.CreatedHuman, '3 minutes ago');
  assert.equal(fields.Status, 'Up 2 minutes');
  assert.equal(fields.Ports, '0.0.0.0:8080->80/tcp');
  assert.equal(fields.Labels, 'a=1,b=2');
});

test('Nothing is cut where all was asked for', () => {
  const fields = listedFields(running, { whole: true, now: NOW });
  assert.equal(fields.ID, running.config.id);
  assert.equal(fields.Command, 'sleep 1000 and more');
});

test('A checkpointed container reads as one that has exited', () => {
  const frozen = sampleContainer(
    {},
    { status: 'exited', checkpointed: true, finishedAt: '2026-11-23T09:50:20.000000000Z' },
  );
  assert.equal(listedFields(frozen, { whole: false, now: NOW }).Status, 'Exited (0) 1 second ago');
});

test("JSON has podman's keys and numbers", () => {
  const json = listedJson(running, NOW);
  assert.deepEqual(json.Ports, [
    { host_ip: '', container_port: 80, host_port: 8080, range: 1, protocol: 'tcp' },
  ]);
  assert.equal(json.Created, 1795427241);
  assert.equal(json.StartedAt, 1795427301);
  assert.equal(json.ExitedAt, -62135596800);
  assert.deepEqual(json.Names, ['db']);
  assert.equal(JSON.stringify(json.Namespaces), '{}');
  assert.equal(json.Size, null);
});

test('Sizes have three digits', () => {
  const fields = listedFields(
    { ...running, size: { rw: 12, rootFs: 1_985_952 } },
    { whole: false, now: NOW },
  );
  assert.equal(fields.Size, '12B (virtual 1.99MB)');
});

test('Lists are sorted by what --sort names', () => {
  const other = sampleContainer({ id: 'b2'.repeat(32), name: 'a' });
  const names = (order: string): string[] =>
    sortListed([running, other], parseOrder(order)).map(({ config }) => config.name);
  assert.deepEqual(names('names'), ['a', 'db']);
  assert.deepEqual(names('id'), ['db', 'a']);
  assert.deepEqual(names('status'), ['a', 'db']);
  assert.throws(
    () => parseOrder('age'),
    /"age" is not a valid value\. {2}Choose from: "command, created, id/,
  );
});
