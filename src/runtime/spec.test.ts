import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ContainerConfig, SecurityOptions } from '../model/container.ts';
import { isCryopodError } from '../model/errors.ts';
import { sampleContainer } from '../model/testing.ts';
import type { OciMount } from './spec/types.ts';
import { buildSpec, specJson } from './spec.ts';
import { SAMPLE_FACTS, SAMPLE_HOST } from './testing.ts';
import type { SpecFacts } from './types.ts';

const build = (config: Partial<ContainerConfig> = {}, facts: Partial<SpecFacts> = {}) =>
  buildSpec(sampleContainer(config).config, { ...SAMPLE_FACTS, ...facts });

const { security: plain } = sampleContainer().config;
const secured = (security: Partial<SecurityOptions>): Partial<ContainerConfig> => ({
  security: { ...plain, ...security },
});
const mountAt = (mounts: readonly OciMount[], destination: string): OciMount | undefined =>
  mounts.find((mount) => mount.destination === destination);

test('A plain container gets the default capabilities that the host has, and no others', () => {
  const { spec, warnings } = build();
  const { bounding, effective, ambient } = spec.process.capabilities;
  assert.deepEqual(bounding, ['CAP_CHOWN', 'CAP_KILL', 'CAP_SETUID', 'CAP_SYS_CHROOT']);
  assert.deepEqual(effective, bounding);
  assert.deepEqual(ambient, []);
  assert.deepEqual(warnings, []);
});

test('A user other than root gets only the capabilities that were added by name', () => {
  const user = { ...SAMPLE_FACTS.user, uid: 1000, gid: 1000, name: 'bob' };
  const { spec } = build(secured({ capAdd: ['CAP_NET_ADMIN'] }), { user });
  assert.deepEqual(spec.process.capabilities.effective, ['CAP_NET_ADMIN']);
  assert.deepEqual(spec.process.capabilities.ambient, ['CAP_NET_ADMIN']);
  assert.equal(spec.process.capabilities.bounding.includes('CAP_CHOWN'), true);
});

test('Dropping ALL leaves what is added; an added capability that the host lacks is told', () => {
  const { spec, warnings } = build(secured({ capDrop: ['ALL'], capAdd: ['CAP_KILL', 'CAP_BPF'] }));
  assert.deepEqual(spec.process.capabilities.bounding, ['CAP_KILL']);
  assert.match(warnings.join('\n'), /CAP_BPF has no effect/);
});

test('A capability that no kernel knows is refused', () => {
  assert.throws(
    () => build(secured({ capAdd: ['CAP_NONSENSE'] })),
    (error) => isCryopodError(error, 'USAGE'),
  );
});

test('A privileged container gets all capabilities and devices, writable /sys and nothing masked', () => {
  const { spec } = build(secured({ privileged: true }));
  assert.deepEqual(spec.process.capabilities.bounding, SAMPLE_HOST.capabilities);
  assert.deepEqual(spec.linux.maskedPaths, []);
  assert.deepEqual(spec.linux.readonlyPaths, []);
  assert.deepEqual(spec.linux.resources.devices, [{ allow: true, access: 'rwm' }]);
  assert.equal(mountAt(spec.mounts, '/sys')?.options.includes('rw'), true);
});

test('--security-opt unmask opens one path or all, mask hides one more', () => {
  const one = build(secured({ unmask: ['/proc/kcore'], mask: ['/secret'] })).spec.linux;
  assert.equal(one.maskedPaths.includes('/proc/kcore'), false);
  assert.equal(one.maskedPaths.includes('/sys/firmware'), true);
  assert.equal(one.maskedPaths.includes('/secret'), true);
  const all = build(secured({ unmask: ['ALL'] })).spec.linux;
  assert.deepEqual([all.maskedPaths, all.readonlyPaths], [[], []]);
});

test('Limits above those of this process are clamped; only limits that were asked for are told', () => {
  const { spec, warnings } = build({ resources: { ulimits: [{ name: 'nofile', soft: 10, hard: 50_000 }] } });
  assert.deepEqual(
    spec.process.rlimits?.find(({ type }) => type === 'RLIMIT_NOFILE'),
    { type: 'RLIMIT_NOFILE', soft: 10, hard: 20_000 },
  );
  assert.equal(warnings.length, 1);
  assert.match(warnings[0] ?? '', /nofile=50000 clamped to 20000/);
  assert.deepEqual(build().warnings, [], 'the defaults are clamped in silence');
});

test('A process that may raise limits gets what was asked for, up to the kernel’s own bound', () => {
  const host = { ...SAMPLE_HOST, raiseLimits: true };
  const { spec } = build({ resources: { ulimits: [{ name: 'nofile', soft: -1, hard: -1 }] } }, { host });
  assert.equal(spec.process.rlimits?.[0]?.hard, SAMPLE_HOST.maxOpenFiles);
});

test('An unlimited value is written as the largest 64-bit number', () => {
  const { spec } = build({ resources: { ulimits: [{ name: 'core', soft: -1, hard: -1 }] } });
  const json = specJson(spec);
  assert.match(json, /"hard": 18446744073709551615/);
  assert.deepEqual(JSON.parse(json).process.args, ['sleep', '1000']);
});

test('cgroup limits become OCI resources; swap is twice the memory unless told', () => {
  const resources = { ulimits: [], memory: 1000, cpus: 1.5, cpusetCpus: '0-1', pids: 7 };
  const { resources: built } = build({ resources }).spec.linux;
  assert.deepEqual(built.memory, { limit: 1000, swap: 2000 });
  assert.deepEqual(built.cpu, { quota: 150_000, period: 100_000, cpus: '0-1' });
  assert.deepEqual(built.pids, { limit: 7 });
});

test('Limits whose controller the host lacks are left out and told', () => {
  const host = { ...SAMPLE_HOST, controllers: ['devices'] };
  const { spec, warnings } = build({ resources: { ulimits: [], memory: 1000, cpus: 1, pids: 5 } }, { host });
  assert.deepEqual(Object.keys(spec.linux.resources), ['devices']);
  assert.equal(warnings.length, 3);
  assert.deepEqual(build({}, { host }).warnings, [], 'the default pids limit is left out in silence');
});

test('A mount of the user’s takes the place of the system’s at the same destination', () => {
  const mounts = [
    { type: 'bind' as const, source: '/my/hosts', destination: '/etc/hosts', options: ['ro'] },
    { type: 'volume' as const, source: '/v', destination: '/etc', options: [] },
  ];
  const built = build({}, { mounts }).spec.mounts;
  assert.equal(built.filter(({ destination }) => destination === '/etc/hosts').length, 1);
  assert.deepEqual(mountAt(built, '/etc/hosts')?.options, ['ro', 'rprivate', 'rbind']);
  const order = built.map(({ destination }) => destination);
  assert.ok(order.indexOf('/etc') < order.indexOf('/etc/hosts'), 'parents are mounted first');
  assert.deepEqual(mountAt(built, '/etc')?.options, ['rprivate', 'nosuid', 'nodev', 'rbind', 'rw']);
});

test('A tmpfs gets podman’s default options; a read-only container gets three of them', () => {
  const mounts = [{ type: 'tmpfs' as const, source: '', destination: '/scratch', options: ['size=1m'] }];
  const built = build(secured({ readOnlyRootfs: true }), { mounts }).spec;
  assert.deepEqual(mountAt(built.mounts, '/scratch')?.options, [
    'size=1m',
    'rprivate',
    'nosuid',
    'nodev',
    'tmpcopyup',
  ]);
  assert.equal(built.root.readonly, true);
  for (const path of ['/run', '/tmp', '/var/tmp']) assert.equal(mountAt(built.mounts, path)?.type, 'tmpfs');
  const order = built.mounts.map(({ destination }) => destination);
  assert.ok(order.indexOf('/run') < order.indexOf('/run/.containerenv'), 'it stays visible on the tmpfs');
});

test('Namespaces are joined by path, made new, or left out for the host’s', () => {
  const { namespaces } = build({}, { namespaces: { ...SAMPLE_FACTS.namespaces, pid: 'host' } }).spec.linux;
  assert.deepEqual(
    namespaces.find(({ type }) => type === 'network'),
    { type: 'network', path: '/run/netns/c' },
  );
  assert.equal(
    namespaces.some(({ type }) => type === 'pid'),
    false,
  );
  assert.equal(
    namespaces.some(({ type }) => type === 'cgroup'),
    true,
  );
});

test('The environment of the container wins over the defaults and keeps its order', () => {
  const { env } = build({ env: ['PATH=/opt', 'A=1'], tty: true }).spec.process;
  assert.equal(env.includes('PATH=/opt'), true);
  assert.equal(env.filter((entry) => entry.startsWith('PATH=')).length, 1);
  assert.equal(env.includes('TERM=xterm'), true);
  assert.equal(env.includes('HOME=/root'), true);
});

test('A container without any command is refused', () => {
  assert.throws(() => build({ command: [] }), /no command or entrypoint provided/);
});
