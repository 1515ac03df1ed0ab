import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { waitFor } from '../../src/system/clock.ts';
import { run } from '../../src/system/process.ts';
import { LIMIT_MS } from '../fixtures/limit.ts';
import { busyboxArchive, importBusybox } from './busybox.ts';
import { json, lines, type Program, program } from './program.ts';

interface Inspected {
  readonly Id: string;
  readonly Digest: string;
  readonly RepoTags: readonly string[];
  readonly RepoDigests: readonly string[];
  readonly Comment: string;
  readonly Config: Readonly<Record<string, unknown>>;
  readonly Architecture: string;
}

const names = async ({ ok }: Program, ...filters: string[]): Promise<string[]> => {
  const flags = filters.flatMap((filter) => ['--filter', filter]);
  return lines(await ok('images', '--sort', 'repository', '--format', '{{.Repository}}:{{.Tag}}', ...flags));
};

test('import makes an image with changes, a message and a name that inspect shows.', async (t) => {
  const cryopod = program(t);
  const changes = [
    'ENV A=1 B="2 3"',
    'LABEL of=test',
    'EXPOSE 80',
    'USER 5',
    'WORKDIR /tmp',
    'STOPSIGNAL INT',
  ];
  const flags = changes.flatMap((change) => ['-c', change]);
  const id = await importBusybox(cryopod, 'base:1', ...flags, '-m', 'a comment', '--arch', 'arm64');
  const [image] = json<Inspected[]>(await cryopod.ok('image', 'inspect', 'base:1'));
  assert.equal(image?.Id, id);
  assert.deepEqual(image.RepoTags, ['localhost/base:1']);
  assert.deepEqual(image.RepoDigests, [`localhost/base@${image.Digest}`]);
  assert.equal(image.Comment, 'a comment');
  assert.equal(image.Architecture, 'arm64');
  assert.deepEqual(image.Config, {
    User: '5',
    ExposedPorts: { '80/tcp': {} },
    Env: ['A=1', 'B=2 3'],
    Cmd: ['sh'],
    WorkingDir: '/tmp',
    Labels: { of: 'test' },
    StopSignal: 'INT',
  });
  assert.equal(
    await cryopod.ok('image', 'inspect', '-f', '{{.Config.Cmd}} {{.Os}}', id.slice(0, 12)),
    '[sh] linux\n',
  );
});

test('import reads compressed archives and stdin, and refuses what is none.', async (t) => {
  const cryopod = program(t);
  const archive = await busyboxArchive(cryopod);
  const packed = join(cryopod.directory, 'packed.zst');
  assert.ok((await run(['zstd', '-q', archive, '-o', packed])).ok);
  assert.match(await cryopod.ok('import', packed, 'packed'), /^sha256:[0-9a-f]{64}\n$/);
  const piped = await run([
    'sh',
    '-c',
    'first=$1; shift; cat "$first" | "$@" import - piped',
    'sh',
    archive,
    ...cryopod.argv,
  ]);
  assert.equal(piped.code, 0, piped.stderr);
  assert.deepEqual(await names(cryopod), ['localhost/packed:latest', 'localhost/piped:latest']);
  await cryopod.refused(125, /could not unpack|not an? |does not look like/i, 'import', '/etc/passwd', 'bad');
  await cryopod.refused(125, /no such file/i, 'import', '/nowhere.tar', 'bad');
  await cryopod.refused(125, /invalid change "CMD"/, 'import', '-c', 'CMD', archive, 'bad');
  await cryopod.refused(125, /repository name must be lowercase/, 'import', archive, 'BAD');
  assert.equal((await names(cryopod)).length, 2);
});

test('An import that is interrupted leaves nothing, whatever it was doing.', async (t) => {
  const cryopod = program(t);
  const archive = await busyboxArchive(cryopod);
  const abort = new AbortController();
  const importing = cryopod.call(['import', '-', 'half'], {
    stdin: 'pipe',
    signal: abort.signal,
    // The archive's beginning, and then silence.
    onSpawn: (child) => child.stdin?.write(readFileSync(archive).subarray(0, 100_000)),
  });
  const staging = join(cryopod.root, 'staging');
  assert.ok(await waitFor(() => existsSync(staging) && readdirSync(staging).length > 0, LIMIT_MS));
  abort.abort();
  const { code, stderr } = await importing;
  assert.deepEqual([code, stderr.split(':')[0]], [130, 'Error']);
  assert.deepEqual(readdirSync(staging), []);
  assert.equal(await cryopod.ok('images', '-q'), '');
});

test('images prints a table, IDs, JSON and templates.', async (t) => {
  const cryopod = program(t);
  const { ok, refused } = cryopod;
  assert.equal(await ok('images'), 'REPOSITORY  TAG         IMAGE ID    CREATED     SIZE\n');
  const id = await importBusybox(cryopod, 'base:1');
  const [heading, row] = lines(await ok('images'));
  assert.match(heading ?? '', /^REPOSITORY +TAG +IMAGE ID +CREATED +SIZE$/);
  assert.match(row ?? '', new RegExp(`^localhost/base +1 +${id.slice(0, 12)} .* ago +[0-9.]+ MB$`));
  assert.equal(lines(await ok('images', '--noheading')).length, 1);
  assert.match(await ok('images', '--digests'), /DIGEST +IMAGE ID[\s\S]*sha256:[0-9a-f]{64}/);
  await ok('tag', 'base:1', 'base:2');
  assert.equal(await ok('images', '-q'), `${id.slice(0, 12)}\n`);
  assert.equal(await ok('image', 'ls', '-q', '--no-trunc'), `sha256:${id}\n`);
  const summaries = json<{ Id: string; Names: string[]; Size: number; Created: number }[]>(
    await ok('images', '--format', 'json'),
  );
  assert.deepEqual(
    summaries.map(({ Id }) => Id),
    [id, id],
  );
  assert.deepEqual(summaries[0]?.Names, ['localhost/base:1', 'localhost/base:2']);
  assert.ok((summaries[0]?.Size ?? 0) > 100_000 && (summaries[0]?.Created ?? 0) > 1_700_000_000);
  assert.match(await ok('images', '--format', 'table {{.ID}} {{.Tag}}'), /^IMAGE ID +TAG\n/);
  await refused(125, /must be one of: created, id, repository, size, tag/, 'images', '--sort', 'age');
  await refused(125, /cannot specify an image and a filter/, 'images', '-f', 'dangling=true', 'base');
});

test('images filters by reference, label, age, use and name.', async (t) => {
  const cryopod = program(t);
  const id = await importBusybox(cryopod, 'quay.io/team/base:1', '-c', 'LABEL of=base');
  await importBusybox(cryopod, 'app:1', '-c', 'LABEL of=app');
  await cryopod.ok('untag', 'app:1');
  const [base, none] = ['quay.io/team/base:1', '<none>:<none>'];
  assert.deepEqual(await names(cryopod, 'dangling=true'), [none]);
  assert.deepEqual(await names(cryopod, 'dangling=false'), [base]);
  assert.deepEqual(await names(cryopod, 'label=of=base'), [base]);
  assert.deepEqual(await names(cryopod, 'label!=of=base'), [none]);
  assert.deepEqual(await names(cryopod, 'reference=*/base'), [base]);
  assert.deepEqual(await names(cryopod, 'reference=base:2'), []);
  assert.deepEqual(await names(cryopod, 'since=base:1'), [none]);
  assert.deepEqual(await names(cryopod, `id=${id.slice(0, 6)}`), [base]);
  assert.deepEqual(await names(cryopod, 'until=1h'), []);
  assert.deepEqual(await names(cryopod, 'containers=true'), []);
  assert.match(await cryopod.ok('images', 'team/base'), /quay\.io\/team\/base/);
  assert.match(await cryopod.ok('images', id.slice(0, 12)), /quay\.io\/team\/base/);
  await cryopod.refused(125, /unsupported image filter "size"/, 'images', '-f', 'size=1');
});

test('rmi takes away one of several names, and the image with the last one.', async (t) => {
  const cryopod = program(t);
  const { ok, refused, root } = cryopod;
  const id = await importBusybox(cryopod, 'base:1');
  await ok('tag', 'base:1', 'base:2', 'quay.io/other:3');
  await refused(
    125,
    /by ID with more than one tag \(localhost\/base:1, localhost\/base:2, quay.io\/other:3\): please force removal/,
    'rmi',
    id,
  );
  assert.equal(await ok('rmi', 'base:2'), 'Untagged: localhost/base:2\n');
  assert.equal(
    await refused(1, /gone: image not known/, 'rmi', 'gone', 'other:3'),
    'Untagged: quay.io/other:3\n',
  );
  assert.equal(await ok('image', 'rm', 'base:1'), `Untagged: localhost/base:1\nDeleted: ${id}\n`);
  for (const kept of ['blobs/sha256', 'layers', 'staging'])
    assert.deepEqual(readdirSync(join(root, kept)), [], kept);
  assert.equal(await ok('rmi', '--force', 'gone'), '');
  await refused(125, /image name or ID must be specified/, 'rmi');
});

test('Images that share a layer keep it until the last of them goes; rmi --all takes all.', async (t) => {
  const cryopod = program(t);
  const { ok, root } = cryopod;
  const archive = await busyboxArchive(cryopod);
  for (const name of ['one', 'two', 'three']) await ok('import', '-q', '-m', name, archive, name);
  await ok('rmi', 'one');
  assert.equal(readdirSync(join(root, 'layers')).length, 1);
  await ok('tag', 'two', 'too');
  assert.equal(lines(await ok('rmi', '--all')).filter((line) => line.startsWith('Deleted: ')).length, 2);
  assert.deepEqual(readdirSync(join(root, 'layers')), []);
});

test('tag and untag give and take names; a name moves from the image that had it.', async (t) => {
  const cryopod = program(t);
  const { ok, refused, call } = cryopod;
  const first = await importBusybox(cryopod, 'base');
  const second = await importBusybox(cryopod, 'next', '-m', 'other');
  await ok('tag', second.slice(0, 12), 'base');
  assert.equal(await ok('image', 'inspect', '-f', '{{.Id}}', 'base'), `${second}\n`);
  assert.equal(await ok('image', 'inspect', '-f', '{{.RepoTags}}', first), '[]\n');
  await refused(125, /localhost\/other:latest: tag not known/, 'untag', 'base', 'other');
  await ok('untag', 'base', 'next');
  assert.deepEqual(await names(cryopod), ['<none>:<none>', 'localhost/base:latest']);
  await ok('untag', 'base');
  assert.deepEqual(await names(cryopod), ['<none>:<none>', '<none>:<none>']);
  await refused(125, /gone: image not known/, 'tag', 'gone', 'other');
  assert.equal((await call(['image', 'exists', 'base'])).code, 1);
  assert.equal(await ok('image', 'exists', first.slice(0, 10)), '');
});

test('image prune removes what has no name, and with --all what no container uses.', async (t) => {
  const cryopod = program(t);
  const id = await importBusybox(cryopod, 'base');
  const other = await importBusybox(cryopod, 'other', '-m', 'other');
  await cryopod.ok('untag', 'other');
  const asked = await cryopod.call(['image', 'prune'], { input: 'no\n' });
  assert.match(asked.stdout, /^WARNING! This command removes all dangling images\.\nAre you sure[^\n]* $/);
  assert.equal(await cryopod.ok('image', 'prune', '-f'), `${other}\n`);
  assert.equal(await cryopod.ok('image', 'prune', '-af'), `${id}\n`);
});

test('history tells how an image was made.', async (t) => {
  const cryopod = program(t);
  const id = await importBusybox(cryopod, 'base', '-m', 'a comment');
  const [heading, step] = lines(await cryopod.ok('history', 'base'));
  assert.match(heading ?? '', /^ID +CREATED +CREATED BY +SIZE +COMMENT$/);
  assert.match(
    step ?? '',
    new RegExp(
      `^${id.slice(0, 12)} .*ago +/bin/sh -c #\\(nop\\) ADD file:[0-9a-f]+\\.\\.\\. +[0-9.]+MB +a comment$`,
    ),
  );
  assert.equal(await cryopod.ok('image', 'history', '-q', '--no-trunc', 'base'), `${id}\n`);
  const [row] = json<{ id: string; comment: string; size: number }[]>(
    await cryopod.ok('history', '--format', 'json', 'base'),
  );
  assert.deepEqual([row?.id, row?.comment], [id, 'a comment']);
});

for (const format of ['docker-archive', 'oci-archive', 'oci-dir', 'docker-dir'] as const) {
  test(`An image saved as ${format} is loaded as the same image.`, async (t) => {
    const cryopod = program(t);
    const other = program(t);
    const id = await importBusybox(cryopod, 'base:1');
    const path = join(cryopod.directory, 'saved');
    await cryopod.ok('save', '--quiet', '--format', format, '--output', path, 'base:1');
    // A directory in skopeo's dir: format does not hold a name.
    const named = format !== 'docker-dir';
    const loaded = await other.ok('load', '--quiet', '--input', path);
    assert.equal(loaded, named ? 'Loaded image: localhost/base:1\n' : `Loaded image: sha256:${id}\n`);
    assert.equal(await other.ok('images', '-q', '--no-trunc'), `sha256:${id}\n`);
  });
}

test('save writes several images to a pipe, and load reads them from stdin, with all names.', async (t) => {
  const cryopod = program(t);
  const other = program(t);
  await importBusybox(cryopod, 'one:1');
  await importBusybox(cryopod, 'two:2', '-m', 'other');
  const script = 'first=$1; shift; "$@" save -m one:1 two:2 > "$first"';
  const archive = join(cryopod.directory, 'both.tar');
  const saved = await run(['sh', '-c', script, 'sh', archive, ...cryopod.argv]);
  assert.equal(saved.code, 0, saved.stderr);
  const load = await run([
    'sh',
    '-c',
    'first=$1; shift; cat "$first" | "$@" load -q',
    'sh',
    archive,
    ...other.argv,
  ]);
  assert.equal(load.code, 0, load.stderr);
  assert.deepEqual(lines(load.stdout), ['Loaded image: localhost/one:1', 'Loaded image: localhost/two:2']);
});

test('save refuses what it cannot do and leaves no file.', async (t) => {
  const cryopod = program(t);
  await importBusybox(cryopod, 'base');
  const path = join(cryopod.directory, 'saved.tar');
  await cryopod.refused(125, /gone: image not known/, 'save', '-o', path, 'gone');
  await cryopod.refused(
    125,
    /invalid image save format "zip"/,
    'save',
    '--format',
    'zip',
    '-o',
    path,
    'base',
  );
  await cryopod.refused(
    125,
    /--compress can only be set when --format is 'docker-dir'/,
    'save',
    '--compress',
    '-o',
    path,
    'base',
  );
  assert.ok(!readdirSync(cryopod.directory).some((name) => name.includes('saved')));
});

test('load refuses what is no image archive.', async (t) => {
  const cryopod = program(t);
  const archive = await busyboxArchive(cryopod);
  await cryopod.refused(125, /neither a docker-archive nor an oci-archive/, 'load', '-i', archive);
  await cryopod.refused(125, /no such file/i, 'load', '-i', '/nowhere.tar');
});

test('podman loads what cryopod saves, and cryopod loads what podman saves, as the same image.', async (t) => {
  const cryopod = program(t);
  const id = await importBusybox(cryopod, 'base:1');
  const store = join(cryopod.directory, 'podman');
  const podman = ['podman', '--root', store, '--runroot', `${store}-run`, '--storage-driver', 'vfs'];
  t.after(() => run(['rm', '-rf', '--one-file-system', store, `${store}-run`]));
  const [ours, theirs] = [join(cryopod.directory, 'ours.tar'), join(cryopod.directory, 'theirs.tar')];
  await cryopod.ok('save', '-q', '-o', ours, 'base:1');
  const loaded = await run([...podman, 'load', '-i', ours]);
  assert.match(loaded.stdout, /localhost\/base:1/, loaded.stderr);
  assert.equal((await run([...podman, 'images', '-q', '--no-trunc'])).stdout, `sha256:${id}\n`);
  assert.ok((await run([...podman, 'save', '-o', theirs, 'base:1'])).ok);
  await cryopod.ok('rmi', 'base:1');
  await cryopod.ok('load', '-q', '-i', theirs);
  assert.equal(await cryopod.ok('images', '-q', '--no-trunc'), `sha256:${id}\n`);
});

test('A command on an image that is not there names it.', async (t) => {
  const { refused } = program(t);
  await refused(125, /gone: no such image/, 'create', '--pull=never', 'gone');
  for (const command of [['image', 'inspect'], ['history'], ['push'], ['untag']]) {
    await refused(125, /gone: image not known/, ...command, 'gone');
  }
});
