import assert from 'node:assert/strict';
import { test } from 'node:test';
import { waitFor } from '../../src/system/clock.ts';
import { LIMIT_MS } from '../fixtures/limit.ts';
import { withSandbox } from '../fixtures/sandbox.ts';
import { importBusybox } from './busybox.ts';
import { driver, json, lines, type Program } from './program.ts';
import { freePort } from './registry.ts';

const NAP = 'trap "exit 0" TERM; while :; do sleep 0.1; done';

/** A test on a store of its own that fails where containers leave anything behind. */
const viewTest = (name: string, work: (cryopod: Program) => Promise<void>): void => {
  test(name, () =>
    withSandbox(({ argv, directory, root }) => work(driver(argv, directory, root)), { images: [] }),
  );
};

/** Runs a shell script in a container without a network of its own, in the background. */
const start = (cryopod: Program, name: string, script: string, ...flags: string[]): Promise<string> =>
  cryopod.ok('run', '-d', '--name', name, '--network', 'none', ...flags, 'box', 'sh', '-c', script);

/** Runs a script to its end. */
async function finish(cryopod: Program, name: string, script: string, ...flags: string[]): Promise<void> {
  await start(cryopod, name, script, ...flags);
  await cryopod.ok('wait', name);
}

viewTest(
  'logs gives stdout on stdout and stderr on stderr, with --tail, times and names.',
  async (cryopod) => {
    await importBusybox(cryopod, 'box');
    await finish(cryopod, 'one', 'for i in 1 2 3; do echo out $i; done; echo err >&2; printf half');
    await finish(cryopod, 'two', 'echo other');
    const { stdout, stderr, code } = await cryopod.call(['logs', 'one']);
    assert.deepEqual([code, stdout, stderr], [0, 'out 1\nout 2\nout 3\nhalf', 'err\n']);
    await finish(cryopod, 'three', 'for i in 1 2 3; do echo out $i; done; printf half');
    assert.equal(await cryopod.ok('logs', '--tail', '2', 'three'), 'out 3\nhalf');
    assert.equal(await cryopod.ok('logs', '--tail', '0', 'three'), '');
    assert.match(
      await cryopod.ok('container', 'logs', '-t', 'two'),
      /^\d{4}-\d\d-\d\dT[\d:.]+[+-]\d\d:\d\d other\n$/,
    );
    assert.equal((await cryopod.call(['logs', '-n', 'two', 'one'])).stdout.split('\n')[0], 'two other');
    const id = (await cryopod.ok('inspect', '-f', '{{.Id}}', 'two')).slice(0, 12);
    assert.match((await cryopod.call(['logs', 'one', 'two'])).stdout, new RegExp(`^${id} other$`, 'm'));
    assert.equal(await cryopod.ok('logs', '--latest', '--tail', '1'), 'half');
  },
);

viewTest('logs shows only what was written since and until a time.', async (cryopod) => {
  await importBusybox(cryopod, 'box');
  await finish(cryopod, 'one', 'echo first; sleep 1.5; echo second');
  const times = lines(await cryopod.ok('logs', '-t', 'one')).map((line) =>
    Date.parse(line.split(' ')[0] ?? ''),
  );
  const between = new Date((times[0] ?? 0) + 500).toISOString();
  assert.equal(await cryopod.ok('logs', '--since', between, 'one'), 'second\n');
  assert.equal(await cryopod.ok('logs', '--until', between, 'one'), 'first\n');
  assert.equal(await cryopod.ok('logs', '--since', '1h', '--until', '1h', 'one'), 'first\nsecond\n');
  await cryopod.refused(125, /failed to parse time\/duration "soon"/, 'logs', '--since', 'soon', 'one');
});

viewTest(
  'logs --follow goes on until the container ends, or the command is interrupted.',
  async (cryopod) => {
    await importBusybox(cryopod, 'box');
    await start(cryopod, 'one', `echo begun; ${NAP}`);
    const abort = new AbortController();
    let seen = '';
    const interrupted = cryopod.call(['logs', '-f', 'one'], {
      signal: abort.signal,
      onSpawn: (child) => child.stdout?.on('data', (chunk: Buffer) => (seen += chunk.toString('utf8'))),
    });
    assert.ok(await waitFor(() => seen === 'begun\n', LIMIT_MS));
    abort.abort();
    assert.deepEqual([(await interrupted).code, (await interrupted).stderr], [130, '']);
    const followed = cryopod.call(['logs', '-f', 'one']);
    await cryopod.ok('stop', 'one');
    assert.deepEqual([(await followed).code, (await followed).stdout], [0, 'begun\n']);
  },
);

viewTest('logs refuses containers without a log and asks for a name.', async (cryopod) => {
  await importBusybox(cryopod, 'box');
  await finish(cryopod, 'quiet', 'echo lost', '--log-driver', 'none');
  await cryopod.refused(125, /using the 'none' log driver, cannot read logs/, 'logs', 'quiet');
  await cryopod.refused(125, /no container with name or ID "gone" found: no such container/, 'logs', 'gone');
  await cryopod.refused(125, /must provide at least one container name/, 'logs');
});

viewTest('port shows where ports are published while the container runs.', async (cryopod) => {
  await importBusybox(cryopod, 'box');
  const [web, dns] = [await freePort(), await freePort()];
  const flags = ['-p', `127.0.0.1:${web}:80`, '-p', `${dns}:53/udp`];
  const id = await cryopod.ok('run', '-d', '--name', 'one', ...flags, 'box', 'sh', '-c', NAP);
  assert.deepEqual(
    lines(await cryopod.ok('port', 'one')).sort((a, b) => a.localeCompare(b)),
    [`53/udp -> 0.0.0.0:${dns}`, `80/tcp -> 127.0.0.1:${web}`],
  );
  assert.equal(await cryopod.ok('port', 'one', '80'), `127.0.0.1:${web}\n`);
  assert.equal(await cryopod.ok('container', 'port', 'one', '53/udp'), `0.0.0.0:${dns}\n`);
  await cryopod.refused(125, /failed to find published port "81"/, 'port', 'one', '81');
  await cryopod.refused(125, /port formats are port\/protocol/, 'port', 'one', 'http');
  assert.equal(lines(await cryopod.ok('port', '--all'))[0]?.split('\t')[0], id.slice(0, 12));
  await cryopod.ok('stop', 'one');
  assert.equal(await cryopod.ok('port', 'one'), '');
});

viewTest('diff shows what a container added, changed and deleted, as lines and as JSON.', async (cryopod) => {
  const image = await importBusybox(cryopod, 'box');
  await finish(cryopod, 'one', 'echo x > /tmp/new; mkdir /made; chmod 700 /tmp; rm /bin/vi');
  const changes = lines(await cryopod.ok('diff', 'one'));
  for (const change of ['C /bin', 'D /bin/vi', 'A /made', 'C /tmp', 'A /tmp/new'])
    assert.ok(changes.includes(change), change);
  assert.deepEqual(lines(await cryopod.ok('container', 'diff', '-l')), changes);
  const report = json<{ added: string[]; deleted: string[] }>(
    await cryopod.ok('diff', '--format', 'json', 'one'),
  );
  assert.deepEqual(report.deleted, ['/bin/vi']);
  assert.ok(report.added.includes('/tmp/new'));
  await cryopod.refused(125, /only supported value for '--format' is 'json'/, 'diff', '--format', 'x', 'one');
  assert.ok(lines(await cryopod.ok('diff', image)).includes('A /bin/busybox'));
  assert.equal(await cryopod.ok('image', 'diff', 'box', image), '');
  await cryopod.refused(125, /gone not found: layer not known/, 'diff', 'gone');
  await cryopod.refused(125, /not found: layer not known/, 'container', 'diff', 'box');
});

viewTest(
  'An image that a container uses is removed only with --force, and then with the container.',
  async (cryopod) => {
    const id = await importBusybox(cryopod, 'box');
    await start(cryopod, 'one', NAP);
    await cryopod.refused(2, /image used by [0-9a-f]{64}: image is in use by a container/, 'rmi', 'box');
    assert.equal(await cryopod.ok('image', 'prune', '--all', '--force'), '');
    assert.equal(await cryopod.ok('images', '--format', '{{.Containers}}'), '1\n');
    await cryopod.ok('tag', 'box', 'other');
    assert.equal(await cryopod.ok('rmi', 'other'), 'Untagged: localhost/other:latest\n');
    assert.equal(await cryopod.ok('rmi', '-f', 'box'), `Untagged: localhost/box:latest\nDeleted: ${id}\n`);
    assert.equal(await cryopod.ok('ps', '-aq'), '');
  },
);

viewTest(
  'A volume that a container uses is removed only with --force, and then with the container.',
  async (cryopod) => {
    await importBusybox(cryopod, 'box', '-c', 'VOLUME /data');
    await start(cryopod, 'one', NAP, '-v', 'kept:/kept');
    assert.equal(
      await cryopod.ok('volume', 'inspect', '-f', '{{.MountCount}} {{.Anonymous}}', 'kept'),
      '1 false\n',
    );
    const anonymous = (await cryopod.ok('volume', 'ls', '-q', '-f', 'anonymous=true')).trim();
    assert.match(anonymous, /^[0-9a-f]{64}$/);
    assert.equal(await cryopod.ok('volume', 'ls', '-q', '-f', 'dangling=true'), '');
    const words =
      /volume kept is being used by the following container\(s\): [0-9a-f]{64}: volume is being used/;
    await cryopod.refused(2, words, 'volume', 'rm', 'kept');
    assert.equal(await cryopod.ok('volume', 'prune', '--all', '--force'), '');
    assert.equal(await cryopod.ok('volume', 'rm', '--force', '--time', '0', 'kept'), 'kept\n');
    assert.equal(await cryopod.ok('ps', '-aq'), '');
    assert.equal(await cryopod.ok('volume', 'prune', '--force'), `${anonymous}\n`);
  },
);

viewTest(
  'A network that a container is on is removed only with --force, and then with the container.',
  async (cryopod) => {
    await importBusybox(cryopod, 'box');
    await cryopod.ok('network', 'create', 'lab');
    const id = (
      await cryopod.ok('run', '-d', '--name', 'one', '--network', 'lab', 'box', 'sh', '-c', NAP)
    ).trim();
    const [lab] = json<{ containers: Record<string, { name: string }> }[]>(
      await cryopod.ok('network', 'inspect', 'lab'),
    );
    assert.equal(lab?.containers[id]?.name, 'one');
    assert.equal(await cryopod.ok('network', 'ls', '-q', '-f', 'dangling=false'), 'lab\n');
    await cryopod.refused(
      2,
      /"lab" has associated containers with it.*network is being used/,
      'network',
      'rm',
      'lab',
    );
    assert.equal(await cryopod.ok('network', 'prune', '--force'), '');
    assert.equal(await cryopod.ok('network', 'rm', '--force', '--time', '0', 'lab'), 'lab\n');
    assert.equal(await cryopod.ok('ps', '-aq'), '');
  },
);
