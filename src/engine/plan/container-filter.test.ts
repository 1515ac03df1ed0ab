import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Container } from '../../model/container.ts';
import { isCryopodError } from '../../model/errors.ts';
import { parseFilters } from '../../model/filters.ts';
import { sampleContainer } from '../../model/testing.ts';
import { containerFilter } from './container-filter.ts';

const db = sampleContainer(
  {
    labels: { role: 'db', tier: '' },
    mounts: [
      { type: 'volume', source: 'data', destination: '/var/lib/db', options: [] },
      { type: 'bind', source: '/srv', destination: '/srv', options: [] },
    ],
  },
  { status: 'exited', exitCode: 3 },
);
const web = sampleContainer(
  {
    id: 'b2'.repeat(32),
    name: 'web',
    created: '2026-11-23T10:00:00.000000000Z',
    imageName: 'localhost/nginx:latest',
    command: ['nginx'],
    network: { ...db.config.network, mode: 'container', target: db.config.id, networks: [] },
  },
  { status: 'running' },
);

const FACTS = {
  findContainer: (name: string): Container => (name === 'web' ? web : db),
  networks: new Map([
    ['podman', 'podman'],
    ['2f25', 'podman'],
  ]),
};

const names = (...filters: string[]): string[] =>
  [db, web].filter(containerFilter(parseFilters(filters), FACTS)).map(({ config }) => config.name);

const refused = (filter: string, message: string): void => {
  assert.throws(
    () => containerFilter(parseFilters([filter]), FACTS),
    (error) => isCryopodError(error, 'USAGE') && error.message === message,
  );
};

test('Values of one filter are alternatives, filters of several keys must all agree', () => {
  assert.deepEqual(names('name=db', 'name=web'), ['db', 'web']);
  assert.deepEqual(names('name=^d', 'status=running'), []);
  assert.deepEqual(names(), ['db', 'web']);
});

test('Containers are found by the beginning of their ID or by a pattern in it', () => {
  assert.deepEqual(names('id=A1a1'), ['db']);
  assert.deepEqual(names('id=1a1'), []);
  assert.deepEqual(names('id=^b2.*b2$'), ['web']);
});

test('All labels must be there, and none that is excluded', () => {
  assert.deepEqual(names('label=role=db', 'label=tier'), ['db']);
  assert.deepEqual(names('label=role=db', 'label=none'), []);
  assert.deepEqual(names('label!=role'), ['web']);
});

test('A stopped container counts as exited', () => {
  assert.deepEqual(names('status=stopped'), ['db']);
  assert.deepEqual(names('status=exited', 'status=running'), ['db', 'web']);
  assert.deepEqual(names('status=removing'), []);
  refused('status=gone', 'unknown container state: gone: invalid argument');
});

test('Exit codes count only for containers that have exited', () => {
  assert.deepEqual(names('exited=3', 'exited=0'), ['db']);
  refused('exited=x', 'exited code out of range "x": strconv.ParseInt: parsing "x": invalid syntax');
});

test('An ancestor is named by ID or name, the tag latest may be left out', () => {
  assert.deepEqual(names('ancestor=0b0b'), ['db', 'web']);
  assert.deepEqual(names('ancestor=nginx$'), ['web']);
  assert.deepEqual(names('ancestor=bb$'), []);
});

test('before, since and until compare the times of creation', () => {
  assert.deepEqual(names('before=web'), ['db']);
  assert.deepEqual(names('since=db'), ['web']);
  assert.deepEqual(names('until=2026-11-23T09:50:00Z'), ['db']);
  refused('until=never', 'failed to parse time/duration "never"');
});

test('Volumes are found by name, by destination and by both', () => {
  assert.deepEqual(names('volume=data'), ['db']);
  assert.deepEqual(names('volume=/srv'), ['db']);
  assert.deepEqual(names('volume=data:/var/lib/db'), ['db']);
  assert.deepEqual(names('volume=data:/srv'), []);
});

test('Networks are found by name or ID, shared ones by their container', () => {
  assert.deepEqual(names('network=podman'), ['db']);
  assert.deepEqual(names('network=2f25'), ['db']);
  assert.deepEqual(names('network=other'), []);
  assert.deepEqual(names('network=container:db'), ['web']);
});

test('An unknown filter is refused even where there is nothing to filter', () => {
  refused('pod=x', 'pod is an invalid filter');
});
