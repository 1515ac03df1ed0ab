import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { NetworkConfig } from '../model/container.ts';
import type { NetworkStatus } from '../model/network.ts';
import {
  type ContainerFilesInput,
  hostnameContent,
  hostsContent,
  realResolvPath,
  resolvContent,
} from './container-files.ts';

const status = (ipnets: readonly string[], gateway: string, dns: readonly string[] = []): NetworkStatus => ({
  dns_server_ips: dns,
  dns_search_domains: dns.length > 0 ? ['dns.podman'] : [],
  interfaces: {
    eth0: { mac_address: '02:00:00:00:00:01', subnets: ipnets.map((ipnet) => ({ ipnet, gateway })) },
  },
});

const input = (
  config: Partial<NetworkConfig> = {},
  more: Partial<ContainerFilesInput> = {},
): ContainerFilesInput => ({
  name: 'web',
  hostname: 'abc123',
  networks: { podman: status(['10.90.0.5/16'], '10.90.0.1') },
  hostHosts: '127.0.0.1 localhost\n127.0.1.1 thishost # me\n\n# comment\n',
  hostResolv: 'search example.org\nnameserver 127.0.0.1\nnameserver 192.0.2.53\noptions edns0 trust-ad\n',
  ...more,
  config: {
    mode: 'bridge',
    networks: [],
    ports: [],
    dnsServers: [],
    dnsSearch: [],
    dnsOptions: [],
    addHosts: [],
    ...config,
  },
});

test('hosts lists what was added, the host, then localhost, the way to the host and the container', () => {
  const addHosts = [
    { host: 'db', ip: '10.0.0.9' },
    { host: 'gate;way', ip: 'host-gateway' },
  ];
  assert.equal(
    hostsContent(input({ addHosts })),
    [
      '10.0.0.9\tdb',
      '10.90.0.1\tgate way',
      '127.0.0.1\tlocalhost',
      '127.0.1.1\tthishost',
      '10.90.0.1\thost.containers.internal host.docker.internal',
      '10.90.0.5\tabc123 web',
      '',
    ].join('\n'),
  );
});

test('names that the user gave are not given again by the container itself', () => {
  const text = hostsContent(input({ addHosts: [{ host: 'web', ip: '10.0.0.9' }] }, { hostname: 'web' }));
  assert.deepEqual(text.match(/^.*\bweb\b.*$/gm), ['10.0.0.9\tweb']);
});

test('hosts depend on the mode of the network', () => {
  assert.match(hostsContent(input({ mode: 'none' }, { networks: {} })), /^127\.0\.0\.1\tabc123 web$/m);
  const host = hostsContent(input({ mode: 'host' }, { networks: {} }));
  assert.match(host, /^127\.0\.0\.1\thost\.containers\.internal/m);
  assert.doesNotMatch(host, /web/);
  const addHosts = [{ host: 'gw', ip: 'host-gateway' }];
  assert.throws(() => hostsContent(input({ mode: 'none', addHosts }, { networks: {} })), /host-gateway/);
});

test("resolv.conf takes the host's servers that a container can reach", () => {
  assert.equal(resolvContent(input()), 'search example.org\nnameserver 192.0.2.53\noptions edns0 trust-ad\n');
  const local = 'nameserver 127.0.0.53\nnameserver fe80::1%eth0\nnameserver 2001:db8::53\n';
  assert.equal(resolvContent(input({}, { hostResolv: local })), 'nameserver 8.8.8.8\nnameserver 8.8.4.4\n');
  const networks = { v6: status(['10.90.0.5/16', 'fd00::5/64'], '10.90.0.1') };
  assert.equal(resolvContent(input({}, { hostResolv: local, networks })), 'nameserver 2001:db8::53\n');
  assert.equal(resolvContent(input({ mode: 'host' }, { hostResolv: local, networks: {} })), local);
});

test('resolv.conf takes what the user gave, and a search of "." means none', () => {
  const given = { dnsServers: ['9.9.9.9'], dnsSearch: ['corp'], dnsOptions: ['ndots:2'] };
  assert.equal(resolvContent(input(given)), 'search corp\nnameserver 9.9.9.9\noptions ndots:2\n');
  assert.equal(resolvContent(input({ ...given, dnsSearch: ['.'] })), 'nameserver 9.9.9.9\noptions ndots:2\n');
});

test("the network's own DNS server answers in a network that has one, whatever --dns names", () => {
  const networks = { app: status(['10.91.0.5/24'], '10.91.0.1', ['10.91.0.1']) };
  assert.equal(
    resolvContent(input({ dnsServers: ['9.9.9.9'] }, { networks })),
    'search dns.podman example.org\nnameserver 10.91.0.1\noptions edns0 trust-ad\n',
  );
});

test('behind a local stub resolver the file with the real servers is read', () => {
  assert.equal(realResolvPath('nameserver 127.0.0.53\n'), '/run/systemd/resolve/resolv.conf');
  assert.equal(realResolvPath('nameserver 127.0.0.1\n'), '/run/NetworkManager/no-stub-resolv.conf');
  assert.equal(realResolvPath('nameserver 127.0.0.53\nnameserver 192.0.2.1\n'), undefined);
  assert.equal(hostnameContent('abc'), 'abc\n');
});
