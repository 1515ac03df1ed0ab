import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isCryopodError } from '../../model/errors.ts';
import type { ImageConfig } from '../../model/image.ts';
import { type CreateFacts, type CreateRequest, containerConfig } from './container-config.ts';

const REQUEST: CreateRequest = {
  image: 'base',
  name: undefined,
  command: [],
  entrypoint: undefined,
  env: [],
  user: undefined,
  workdir: undefined,
  hostname: undefined,
  tty: false,
  interactive: false,
  labels: {},
  annotations: {},
  mounts: [],
  devices: [],
  network: {
    mode: 'none',
    networks: [],
    ports: [],
    dnsServers: [],
    dnsSearch: [],
    dnsOptions: [],
    addHosts: [],
  },
  publishAll: false,
  ipc: { mode: 'shareable' },
  pid: { mode: 'private' },
  uts: { mode: 'private' },
  security: {
    privileged: false,
    capAdd: [],
    capDrop: [],
    noNewPrivileges: false,
    mask: [],
    unmask: [],
    readOnlyRootfs: false,
  },
  resources: { ulimits: [] },
  shmSize: undefined,
  stopSignal: undefined,
  stopTimeout: undefined,
  autoRemove: false,
  logDriver: 'k8s-file',
  logPath: undefined,
  logSizeMax: undefined,
  createCommand: [],
};

function merge(request: Partial<CreateRequest>, image: ImageConfig['config'] = {}) {
  let volumes = 0;
  const facts: CreateFacts = {
    id: 'a'.repeat(64),
    name: 'box',
    created: '2026-01-01T00:00:00.000000000Z',
    image: {
      id: 'b'.repeat(64),
      digest: '',
      names: [],
      layers: ['c'],
      size: 0,
      created: '',
      annotations: {},
    },
    imageConfig: { rootfs: { type: 'layers', diff_ids: [] }, config: image },
    imageName: 'localhost/base:latest',
    runtime: 'runc',
    cgroupManager: 'cgroupfs',
    defaultLogPath: '/log',
    anonymousVolumeName: () => `anonymous${++volumes}`,
    signalNumber: () => 3,
  };
  return containerConfig({ ...REQUEST, ...request }, facts);
}

test("a command replaces the image's command and keeps its entrypoint", () => {
  const image = { Entrypoint: ['/entry'], Cmd: ['serve'] };
  const { entrypoint, command } = merge({ command: ['check', '-v'] }, image);
  assert.deepEqual([...entrypoint, ...command], ['/entry', 'check', '-v']);
});

test("an entrypoint drops the image's command", () => {
  const { entrypoint, command } = merge(
    { entrypoint: ['/bin/sh'] },
    { Entrypoint: ['/entry'], Cmd: ['serve'] },
  );
  assert.deepEqual([entrypoint, command], [['/bin/sh'], []]);
});

test('a container without any command is refused', () => {
  assert.throws(
    () => merge({}),
    (error) => isCryopodError(error, 'USAGE'),
  );
});

test("the user's variables replace the image's in their places", () => {
  const { env } = merge({ command: ['x'], env: ['B=2', 'C=3'] }, { Env: ['A=1', 'B=1'] });
  assert.deepEqual(env, ['A=1', 'B=2', 'C=3']);
});

test('volumes that the image declares become anonymous unless something is mounted there', () => {
  const mounts = [
    { type: 'bind', source: '/host', destination: '/data', options: [] },
    { type: 'volume', source: '', destination: '/cache', options: [] },
  ] as const;
  const config = merge({ command: ['x'], mounts }, { Volumes: { '/data': {}, '/state/': {} } });
  assert.deepEqual(
    config.mounts.map(({ source, destination, anonymous }) => [source, destination, anonymous === true]),
    [
      ['/host', '/data', false],
      ['anonymous1', '/cache', true],
      ['anonymous2', '/state', true],
    ],
  );
});

test('two mounts at one place are refused', () => {
  const mounts = ['/a', '/b'].map(
    (source) => ({ type: 'bind', source, destination: '/x', options: [] }) as const,
  );
  assert.throws(
    () => merge({ command: ['x'], mounts }),
    (error) => isCryopodError(error, 'USAGE'),
  );
});

test("the image's stop signal and user hold unless others are asked for", () => {
  const image = { StopSignal: 'SIGQUIT', User: 'www' };
  const own = merge({ command: ['x'] }, image);
  assert.deepEqual([own.stopSignal, own.user], [3, 'www']);
  const asked = merge({ command: ['x'], stopSignal: 15, user: '0' }, image);
  assert.deepEqual([asked.stopSignal, asked.user], [15, '0']);
});

test('--publish-all publishes what the image exposes on free ports', () => {
  const { network } = merge(
    { command: ['x'], publishAll: true },
    { ExposedPorts: { '80/tcp': {}, '53/udp': {} } },
  );
  assert.deepEqual(
    network.ports.map(({ containerPort, protocol, hostPort }) => [containerPort, protocol, hostPort]),
    [
      [80, 'tcp', 0],
      [53, 'udp', 0],
    ],
  );
});
