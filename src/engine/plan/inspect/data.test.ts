import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ContainerConfig, ContainerState } from '../../../model/container.ts';
import { sampleContainer } from '../../../model/testing.ts';
import { inspectData } from './data.ts';
import type { InspectFacts } from './facts.ts';

const FACTS: InspectFacts = {
  bundle: '/store/c/userdata',
  runDirectory: '/run/c',
  monitorPidFile: '/run/c/conmon.pid',
  pidFile: '/run/c/pidfile',
  cgroupPath: '/cryopod/c',
  imageDigest: 'sha256:ff',
  overlay: { lower: ['/layers/base', '/layers/top'], upper: '/u', work: '/w', merged: undefined },
  volumes: { data: '/store/volumes/data/_data' },
  process: {
    env: ['A=b'],
    boundingCaps: [],
    effectiveCaps: [],
    rlimits: [],
    annotations: {},
    cgroupNamespace: 'host',
  },
};

/** What `{{json .}}` would show. */
function shown(
  config: Partial<ContainerConfig>,
  state: Partial<ContainerState> = {},
  facts: Partial<InspectFacts> = {},
) {
  return JSON.parse(JSON.stringify(inspectData(sampleContainer(config, state), { ...FACTS, ...facts })));
}

test('What is empty stays out of the JSON and can still be read, as in podman', () => {
  const data = inspectData(sampleContainer({}, { status: 'exited' }), FACTS);
  const { State } = data as { State: Record<string, unknown> };
  assert.equal(State.Checkpointed, false);
  assert.equal(State.CheckpointPath, '');
  assert.equal(JSON.stringify(State).includes('Checkpoint'), true, 'CheckpointedAt is always there');
  assert.equal(JSON.stringify(State).includes('CheckpointPath'), false);
  assert.equal(JSON.stringify(State).includes('"Checkpointed"'), false);
});

test('A kept checkpoint shows its directory and logs', () => {
  const { State } = shown(
    {},
    {
      status: 'exited',
      checkpointed: true,
      checkpointedAt: '2026-11-23T09:47:22.500000000Z',
      checkpointPath: '/store/c/userdata/checkpoint',
      checkpointLog: '/store/c/userdata/dump.log',
    },
  );
  assert.equal(State.Checkpointed, true);
  assert.equal(State.CheckpointedAt, '2026-11-23T09:47:22.5Z');
  assert.equal(State.RestoredAt, '0001-01-01T00:00:00Z');
  assert.equal(State.CheckpointPath, '/store/c/userdata/checkpoint');
  assert.equal(State.CheckpointLog, '/store/c/userdata/dump.log');
  assert.equal(State.CgroupPath, undefined, 'nothing runs');
});

test('Only an active container has a cgroup', () => {
  assert.equal(shown({}, { status: 'paused' }).State.CgroupPath, '/cryopod/c');
  assert.equal(shown({}, { status: 'paused' }).State.Paused, true);
});

test('Empty lists and maps are null in JSON where podman has none', () => {
  const { Config } = shown({ command: [], entrypoint: ['sleep'] });
  assert.equal(Config.Cmd, null);
  assert.deepEqual(Config.Entrypoint, ['sleep']);
  assert.equal(Config.Labels, null);
  assert.equal(shown({ labels: { a: 'b' } }).Config.Labels.a, 'b');
});

test('The program and its arguments come from entrypoint and command', () => {
  const { Path, Args } = shown({ entrypoint: ['/bin/sh', '-c'], command: ['echo hi'] });
  assert.deepEqual([Path, Args], ['/bin/sh', ['-c', 'echo hi']]);
});

test('Mounts show their host side, and binds all options', () => {
  const { Mounts, HostConfig } = shown({
    mounts: [
      { type: 'volume', source: 'data', destination: '/data', options: [] },
      { type: 'bind', source: '/tmp', destination: '/host', options: ['ro', 'Z'] },
      { type: 'tmpfs', source: '', destination: '/scratch', options: ['size=1m'] },
    ],
  });
  assert.deepEqual(Mounts, [
    {
      Type: 'volume',
      Name: 'data',
      Source: '/store/volumes/data/_data',
      Destination: '/data',
      Driver: 'local',
      Mode: '',
      Options: ['nosuid', 'nodev', 'rbind'],
      RW: true,
      Propagation: 'rprivate',
    },
    {
      Type: 'bind',
      Source: '/tmp',
      Destination: '/host',
      Driver: '',
      Mode: 'Z',
      Options: ['rbind'],
      RW: false,
      Propagation: 'rprivate',
    },
  ]);
  assert.deepEqual(HostConfig.Binds, [
    'data:/data:rw,rprivate,nosuid,nodev,rbind',
    '/tmp:/host:ro,Z,rprivate,rbind',
  ]);
  assert.deepEqual(HostConfig.Tmpfs, { '/scratch': 'size=1m,rw,rprivate,nosuid,nodev,tmpcopyup' });
});

test('Published ranges are shown port by port, with the host ports that were chosen', () => {
  const port = { hostIp: '', containerPort: 80, hostPort: 0, range: 2, protocol: 'tcp' } as const;
  const network = { ...sampleContainer().config.network, ports: [port] };
  const { NetworkSettings, Config } = shown({ network }, { ports: [{ ...port, hostPort: 4000 }] });
  assert.deepEqual(NetworkSettings.Ports, {
    '80/tcp': [{ HostIp: '', HostPort: '4000' }],
    '81/tcp': [{ HostIp: '', HostPort: '4001' }],
  });
  assert.deepEqual(Config.ExposedPorts, { '80/tcp': {}, '81/tcp': {} });
});

test('Addresses of the only network stand at the top as well', () => {
  const interfaces = {
    eth0: {
      mac_address: '92:d0:c6:0a:29:33',
      subnets: [
        { ipnet: '10.88.0.4/16', gateway: '10.88.0.1' },
        { ipnet: 'fd00::4/64', gateway: 'fd00::1' },
      ],
    },
  };
  const { NetworkSettings } = shown({}, { networks: { podman: { interfaces } }, netns: '/run/netns/c' });
  for (const place of [NetworkSettings, NetworkSettings.Networks.podman]) {
    assert.equal(place.IPAddress, '10.88.0.4');
    assert.equal(place.IPPrefixLen, 16);
    assert.equal(place.Gateway, '10.88.0.1');
    assert.equal(place.GlobalIPv6Address, 'fd00::4');
    assert.equal(place.IPv6Gateway, 'fd00::1');
    assert.equal(place.MacAddress, '92:d0:c6:0a:29:33');
  }
  assert.equal(NetworkSettings.SandboxKey, '/run/netns/c');
});

test('A container that joins a network shows the addresses of its owner', () => {
  const owner = sampleContainer({ id: 'cc'.repeat(32) }, { netns: '/run/netns/owner' });
  const network = {
    ...owner.config.network,
    mode: 'container',
    target: owner.config.id,
    networks: [],
  } as const;
  const data = shown({ network }, {}, { networkOwner: owner });
  assert.equal(data.NetworkSettings.SandboxKey, '/run/netns/owner');
  assert.equal(data.HostConfig.NetworkMode, `container:${owner.config.id}`);
  assert.deepEqual(data.Dependencies, [owner.config.id]);
});

test('Sizes are there only when they were measured', () => {
  assert.equal('SizeRw' in shown({}), false);
  const { SizeRw, SizeRootFs } = shown({}, {}, { size: { rw: 0, rootFs: 100 } });
  assert.deepEqual([SizeRw, SizeRootFs], [0, 100]);
});

test('Layers stand highest first, as overlayfs takes them', () => {
  assert.equal(shown({}).GraphDriver.Data.LowerDir, '/layers/top:/layers/base');
});
