import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sampleContainer } from '../../../model/testing.ts';
import { imageSecurityFindings } from './images.ts';
import { archive, facts, NEEDS } from './testing.ts';
import type { ImageNeeds, ImportFacts } from './types.ts';

const CONFIG = sampleContainer().config;
type Mount = ImageNeeds['mounts'][number];

const sentences = (
  change: Partial<Omit<ImageNeeds['privileges'], 'mounts'>> &
    Pick<Partial<ImageNeeds>, 'mounts' | 'cgroupVersion'>,
  config: Partial<ImportFacts['archive']['config']> = {},
  trust = false,
): string[] => {
  const { mounts = [], cgroupVersion = 2, ...privileges } = change;
  const needs = { ...NEEDS, mounts, cgroupVersion, privileges: { ...NEEDS.privileges, ...privileges } };
  return imageSecurityFindings(facts({ archive: archive(config), needs }), trust)
    .filter(({ level }) => level === (trust ? 'warning' : 'obstacle'))
    .map(({ sentence }) => sentence);
};

const mount = (destination: string, type: string, more: Partial<Mount> = {}): Mount => ({
  id: 2,
  parent: 1,
  destination,
  type,
  source: type,
  root: '/',
  options: '',
  external: false,
  readOnly: false,
  key: undefined,
  ...more,
});

test("a namespace of the host's needs the user's word unless the configuration says host or names one", () => {
  const shared = { hostNamespaces: ['pid', 'network', 'ipc', 'uts'] as const };
  assert.equal(sentences(shared).length, 4);
  assert.equal(sentences(shared, {}, true).length, 4, 'with the word they are warnings');
  const host = { mode: 'host' } as const;
  assert.deepEqual(sentences(shared, { pid: host, ipc: host, uts: { mode: 'ns', target: '/x' } }), [
    "the container in db.tar.zst has processes in the host's network namespace, unlike its configuration",
  ]);
});

test("a cgroup namespace is expected with cgroups v2 alone, a mount namespace always, whatever the user's word", () => {
  const cgroup = { hostNamespaces: ['cgroup'] as const };
  assert.equal(sentences({ ...cgroup, cgroupVersion: 2 }).length, 1);
  assert.deepEqual(sentences({ ...cgroup, cgroupVersion: 1 }), []);
  const needs = { ...NEEDS, privileges: { ...NEEDS.privileges, hostNamespaces: ['mount'] as const } };
  const [finding] = imageSecurityFindings(facts({ needs }), true);
  assert.equal(finding?.level, 'obstacle');
});

test('what a configuration makes read-only must be so in the images, by its place or by the name that it has outside', () => {
  const { security } = CONFIG;
  const data = { type: 'volume', source: 'data', destination: '/data', options: ['ro'] } as const;
  const rows: readonly (readonly [Mount, Parameters<typeof sentences>[1]])[] = [
    [mount('/sys', 'sysfs'), {}],
    [mount('/sys/fs/cgroup', 'cgroup2'), {}],
    [mount('/data', ''), { mounts: [data] }],
    [mount('/elsewhere', '', { key: '/data' }), { mounts: [data] }],
    [mount('/', 'overlay'), { security: { ...security, readOnlyRootfs: true } }],
  ];
  for (const [one, config] of rows) {
    assert.equal(sentences({ mounts: [one] }, config).length, 1, one.destination);
    assert.deepEqual(sentences({ mounts: [{ ...one, readOnly: true }] }, config), [], one.destination);
  }
  const privileged = { security: { ...security, privileged: true } };
  assert.deepEqual(sentences({ mounts: [mount('/sys', 'sysfs')] }, privileged), []);
  const bind = { type: 'bind', source: '/sys', destination: '/host', options: [] } as const;
  assert.deepEqual(
    sentences({ mounts: [mount('/host', 'sysfs', { key: '/host' })] }, { mounts: [bind] }),
    [],
  );
});
