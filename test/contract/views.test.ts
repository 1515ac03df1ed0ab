import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openPodman, type Podman } from './podman.ts';
import { IMAGE, type Sandbox, start, withSandbox } from './support.ts';

const RUN = [
  '-d',
  '--network',
  'none',
  '--label',
  'a=b',
  '-e',
  'FOO=bar',
  '-v',
  'data:/data',
  '--tmpfs',
  '/scratch',
];

/** Paths of all keys of a JSON value; elements of lists and values of maps that users name count as one. */
function keyPaths(value: unknown, path = ''): string[] {
  if (Array.isArray(value)) return value.slice(0, 1).flatMap((item) => keyPaths(item, `${path}[]`));
  if (typeof value !== 'object' || value === null) return [];
  const free = /\.(Labels|Annotations|Networks|Tmpfs|Ports|PortBindings|ExposedPorts|Data)$/.test(path);
  return Object.entries(value).flatMap(([key, item]) => {
    const at = `${path}.${free ? '*' : key}`;
    return [at, ...keyPaths(item, at)];
  });
}

/** Keys that podman 4.3 has and newer ones have not, or only with a health check. */
const OLDER_ONLY = [
  '.State.Health',
  '.State.Health.Status',
  '.State.Health.FailingStreak',
  '.State.Health.Log',
];

async function bothRun(box: Sandbox, podman: Podman): Promise<void> {
  await box.ok(['run', '--name', 'c', ...RUN, IMAGE, 'sleep', '1000']);
  const made = podman.run(['run', '--name', 'c', ...RUN, IMAGE, 'sleep', '1000']);
  assert.equal(made.code, 0, made.stderr);
}

test("ps --format json and inspect have all keys of podman's", async (t) => {
  await withSandbox(async (box) => {
    const podman = openPodman(box.archive, IMAGE);
    if (podman === undefined) return t.skip('podman is not installed');
    t.after(podman.close);
    await bothRun(box, podman);
    for (const args of [
      ['ps', '--format', 'json'],
      ['container', 'inspect', 'c'],
    ]) {
      const own = new Set(keyPaths((JSON.parse(await box.ok(args)) as unknown[])[0]));
      const theirs = keyPaths((JSON.parse(podman.run(args).stdout) as unknown[])[0]);
      const missing = theirs.filter((path) => !own.has(path) && !OLDER_ONLY.includes(path));
      assert.deepEqual(missing, [], args.join(' '));
    }
  });
});

test("Templates read the same as podman's", async (t) => {
  await withSandbox(async (box) => {
    const podman = openPodman(box.archive, IMAGE);
    if (podman === undefined) return t.skip('podman is not installed');
    t.after(podman.close);
    await bothRun(box, podman);
    for (const args of [
      ['ps', '--format', '{{.Names}} {{.Image}} {{.Command}} {{.Ports}}|{{.Networks}}'],
      ['ps', '-a', '--noheading', '--format', 'table {{.Names}} {{.RunningFor}}'],
      ['ps', '--filter', 'label=a=b', '--filter', 'name=^c$', '--format', '{{.Names}}'],
      ['ps', '--filter', 'status=exited', '-q'],
      ['inspect', '--format', '{{.Name}} {{.Path}} {{.Args}} {{.State.Status}} {{.State.Running}}', 'c'],
      ['inspect', '--format', '{{.State.Checkpointed}} {{.State.CheckpointPath}}|{{.State.RestoredAt}}', 'c'],
      ['inspect', '--format', '{{range .Mounts}}{{.Type}} {{.Destination}} {{.RW}} {{.Options}}{{end}}', 'c'],
      ['inspect', '--format', '{{index .Config.Labels "a"}} {{.Config.Cmd}} {{json .Config.Cmd}}', 'c'],
      [
        'inspect',
        '--format',
        '{{.HostConfig.Tmpfs}} {{.HostConfig.NetworkMode}} {{.HostConfig.ShmSize}}',
        'c',
      ],
      ['container', 'exists', 'c'],
      ['container', 'exists', 'other'],
      ['ps', '--filter', 'nonsense=1'],
      ['ps', '--filter', 'status=nonsense'],
      ['ps', '-q', '-s'],
      ['ps', '-l', '-n', '2'],
      ['inspect'],
      ['inspect', '-l', 'c'],
    ]) {
      const own = await box.cryopod(args);
      const theirs = podman.run(args);
      assert.deepEqual([own.code, own.stdout], [theirs.code, theirs.stdout], args.join(' '));
      assert.equal(own.stderr.split('\n')[0], theirs.stderr.split('\n')[0], args.join(' '));
    }
  });
});

test('inspect of what does not exist prints [] and says so; the others are shown all the same', async () => {
  await withSandbox(async (box) => {
    assert.deepEqual(await box.cryopod(['inspect', 'none']), {
      code: 125,
      stdout: '[]\n',
      stderr: 'Error: no such object: "none"\n',
    });
    assert.deepEqual(await box.cryopod(['container', 'inspect', 'none']), {
      code: 125,
      stdout: '[]\n',
      stderr: 'Error: no such container none\n',
    });
    await start(box, 'c', 'sleep 1000');
    const { code, stdout } = await box.cryopod(['inspect', '--format', '{{.Name}}', 'none', 'c']);
    assert.deepEqual([code, stdout], [125, 'c\n']);
    assert.match(await box.ok(['inspect', '--type', 'image', '--format', '{{.RepoTags}}', IMAGE]), /busybox/);
  });
});

test('Lists: running ones by default, the newest with -n and -l, sorted, with sizes', async () => {
  await withSandbox(async (box) => {
    await start(box, 'zebra', 'head -c 1000 /dev/zero > /file; sleep 1000');
    await box.ok(['create', '--name', 'ant', IMAGE, 'true']);
    const names = (...args: string[]): Promise<string> => box.ok(['ps', '--format', '{{.Names}}', ...args]);
    assert.equal(await names(), 'zebra');
    assert.equal(await names('-a'), 'zebra\nant');
    assert.equal(await names('-a', '--sort', 'names'), 'ant\nzebra');
    assert.equal(await names('-l'), 'ant');
    assert.equal(await names('-n', '5'), 'zebra\nant');
    assert.equal(await names('--filter', 'status=created'), 'ant');
    assert.equal(await names('-a', '--filter', 'since=zebra'), 'ant');
    assert.match(await box.ok(['container', 'ls', '--size']), /1kB \(virtual [\d.]+MB\)$/);
    assert.match(await box.ok(['inspect', '--size', '--format', '{{.SizeRw}}', 'zebra']), /^1000$/);
  });
});

test('container prune removes what does not run, after a yes or with -f', async () => {
  await withSandbox(async (box) => {
    await start(box, 'up', 'sleep 1000');
    const ended = await box.ok(['create', '--name', 'ended', '--label', 'old', IMAGE, 'true']);
    const no = await box.cryopod(['container', 'prune'], {}, 'n\n');
    assert.deepEqual(
      [no.code, no.stdout],
      [0, 'WARNING! This will remove all non running containers.\nAre you sure you want to continue? [y/N] '],
    );
    assert.equal(await box.ok(['container', 'prune', '-f', '--filter', 'label=new']), '');
    assert.equal(await box.ok(['container', 'prune', '-f', '--filter', 'label=old']), ended);
    assert.equal(await box.ok(['ps', '-a', '--format', '{{.Names}}']), 'up');
  });
});
