import assert from 'node:assert/strict';
import { test } from 'node:test';
import { json, lines, program } from './program.ts';

interface Inspected {
  readonly name: string;
  readonly id: string;
  readonly subnets: readonly { subnet: string; gateway: string; lease_range?: object }[];
  readonly options: Record<string, string>;
  readonly internal: boolean;
  readonly dns_enabled: boolean;
  readonly containers: Record<string, unknown>;
}

/** An address range that nothing else on a test machine uses. */
const SUBNET = '10.233.57.0/24';

test('The default network is there from the start and cannot be removed.', async (t) => {
  const { ok, refused } = program(t);
  const [heading, row] = lines(await ok('network', 'ls'));
  assert.equal(heading, 'NETWORK ID    NAME        DRIVER');
  assert.match(row ?? '', /^[0-9a-f]{12} {2}podman {6}bridge$/);
  await refused(125, /default network podman cannot be removed/, 'network', 'rm', '--force', 'podman');
});

test("A network is made as asked, and inspect tells it in podman's shape.", async (t) => {
  const { ok } = program(t);
  const options = ['--subnet', SUBNET, '--gateway', '10.233.57.9', '--ip-range', '10.233.57.128/25'];
  const more = ['-o', 'mtu=1400', '--label', 'of=lab', '--disable-dns', '--internal'];
  assert.equal(await ok('network', 'create', ...options, ...more, 'lab'), 'lab\n');
  const [network] = json<Inspected[]>(await ok('network', 'inspect', 'lab'));
  assert.equal(network?.name, 'lab');
  assert.deepEqual(network.subnets, [
    {
      subnet: SUBNET,
      gateway: '10.233.57.9',
      lease_range: { start_ip: '10.233.57.128', end_ip: '10.233.57.254' },
    },
  ]);
  assert.deepEqual([network.internal, network.dns_enabled, network.options.mtu], [true, false, '1400']);
  assert.deepEqual(network.containers, {});
  const format =
    '{{.Name}} {{.DNSEnabled}} {{range .Subnets}}{{.Gateway}}{{end}} {{.Labels.of}} {{json .Subnets}}';
  assert.equal(
    await ok('network', 'inspect', '--format', format, network.id.slice(0, 10)),
    `lab false 10.233.57.9 lab ${JSON.stringify(network.subnets)}\n`,
  );
});

test('Names in use, reserved names and addresses that do not fit are refused.', async (t) => {
  const { ok, refused } = program(t);
  await ok('network', 'create', '--subnet', SUBNET, 'lab');
  await refused(125, /network name lab already used: network already exists/, 'network', 'create', 'lab');
  assert.equal(await ok('network', 'create', '--ignore', 'lab'), 'lab\n');
  await refused(125, /conflicts with a valid network mode/, 'network', 'create', 'host');
  await refused(
    125,
    /is already used on the host or by another config/,
    'network',
    'create',
    '--subnet',
    SUBNET,
  );
  await refused(
    125,
    /cannot set gateway or range without subnet/,
    'network',
    'create',
    '--gateway',
    '10.0.0.1',
  );
  await refused(
    125,
    /gateway 10.0.0.1 not in subnet/,
    'network',
    'create',
    '--subnet',
    '10.233.58.0/24',
    '--gateway',
    '10.0.0.1',
  );
  await refused(125, /unsupported network driver "ipvlan"/, 'network', 'create', '-d', 'ipvlan');
  const macvlan = ['network', 'create', '-d', 'macvlan', '--subnet', SUBNET, '-o'];
  await refused(125, /parent interface gone0 does not exist/, ...macvlan, 'parent=gone0');
  await ok(...macvlan, 'parent=lo', 'lan');
  assert.equal(
    await ok('network', 'inspect', '--format', '{{.Driver}} {{.NetworkInterface}} {{.Options}}', 'lan'),
    'macvlan lo map[]\n',
  );
});

test('ls prints names, whole IDs, templates and JSON, and filters.', async (t) => {
  const { ok, refused } = program(t);
  await ok('network', 'create', '--label', 'of=lab', 'lab');
  const shown = async (filter: string): Promise<string[]> =>
    lines(await ok('network', 'ls', '-q', '--filter', filter));
  assert.deepEqual(lines(await ok('network', 'ls', '-q')), ['lab', 'podman']);
  assert.deepEqual(await shown('name=^la'), ['lab']);
  assert.deepEqual(await shown('label=of'), ['lab']);
  assert.deepEqual(await shown('label!=of'), ['podman']);
  assert.deepEqual(await shown('dangling=false'), []);
  const [lab] = json<Inspected[]>(await ok('network', 'ls', '--format', 'json'));
  assert.deepEqual(await shown(`id=${lab?.id.slice(0, 8)}`), ['lab']);
  assert.equal(
    await ok('network', 'ls', '--format', '{{.ID}} {{.Labels}}', '--no-trunc', '-f', 'name=lab'),
    `${lab?.id} of=lab\n`,
  );
  await refused(125, /invalid filter "size"/, 'network', 'ls', '--filter', 'size=1');
});

test('rm ends with 1 for a network that does not exist; exists answers by its exit status.', async (t) => {
  const { ok, refused, call } = program(t);
  await ok('network', 'create', 'lab');
  assert.equal(await ok('network', 'exists', 'lab'), '');
  const words = /unable to find network with name or ID gone: network not found/;
  assert.equal(await refused(1, words, 'network', 'rm', 'gone', 'lab'), 'lab\n');
  assert.equal((await call(['network', 'exists', 'lab'])).code, 1);
  assert.equal(await ok('network', 'rm', '-f', 'lab'), '');
  await refused(125, words, 'network', 'inspect', 'gone');
});

test('prune asks first, and leaves the default network alone.', async (t) => {
  const { ok, call } = program(t);
  await ok('network', 'create', 'lab');
  const refusal = await call(['network', 'prune'], { input: '\n' });
  assert.match(refusal.stdout, /^WARNING! This will remove all networks not used[\s\S]*\[y\/N\] $/);
  assert.equal(await ok('network', 'prune', '--force'), 'lab\n');
  assert.deepEqual(lines(await ok('network', 'ls', '-q')), ['podman']);
});
