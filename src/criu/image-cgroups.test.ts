import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { isCryopodError } from '../model/errors.ts';
import { strayCgroups } from './image-cgroups.ts';
import { IMAGE_MAGIC } from './images.ts';
import { imageOf, message } from './view/testing.ts';

const directory = mkdtempSync(join(tmpdir(), 'cryopod-cgroups-'));
after(() => rmSync(directory, { recursive: true, force: true }));

interface Controller {
  readonly names: readonly string[];
  readonly directories: readonly Buffer[];
}

const dir = (name: string, files: readonly string[] = [], children: readonly Buffer[] = []): Buffer =>
  message([
    [1, name],
    ...children.map((child) => [2, child] as const),
    ...files.map((file) => [3, message([[1, file]])] as const),
  ]);

/** What an image with one set of these paths, and these controllers, strays to. */
function strays(
  memberships: readonly (readonly [controller: string, path: string, prefix?: number])[],
  ...controllers: readonly Controller[]
): Promise<string[]> {
  const set = message([
    [1, 2],
    ...memberships.map(([controller, path, prefix]) => {
      const fields = [[1, controller] as const, [2, path] as const];
      return [2, message(prefix === undefined ? fields : [...fields, [3, prefix]])] as const;
    }),
  ]);
  const lists = controllers.map(
    ({ names, directories }) =>
      [
        2,
        message([...names.map((name) => [1, name] as const), ...directories.map((one) => [2, one] as const)]),
      ] as const,
  );
  writeFileSync(join(directory, 'cgroup.img'), imageOf(IMAGE_MAGIC.cgroup, message([[1, set], ...lists])));
  return strayCgroups(directory, ['cgroup.img']);
}

const of = (name: string, ...directories: Buffer[]): Controller => ({ names: [name], directories });

test("what every container has is its own: the runtime's directories, what is below them, namespaces, other controllers", async () => {
  const own = dir(
    'cryopod-1',
    ['memory.limit_in_bytes', 'hugetlb.2MB.limit_in_bytes'],
    [dir('below', ['tasks'])],
  );
  assert.deepEqual(await strays([['memory', '/cryopod-1']], of('memory', own)), []);
  assert.deepEqual(await strays([['memory', '/cryopod-1/below']], of('memory', own)), []);
  assert.deepEqual(await strays([['', '/a/b', 4]], of('', dir('a/b'))), []);
  assert.deepEqual(
    await strays(
      [
        ['name=systemd', '/user.slice'],
        ['rdma', '/'],
      ],
      of('name=systemd'),
      of('rdma'),
    ),
    [],
  );
  assert.deepEqual(await strayCgroups(directory, []), [], 'without an image');
});

test('a process outside the directories of its controller strays, and so does a directory without a process', async () => {
  assert.deepEqual(await strays([['devices', '/']], of('devices')), ['devices:/']);
  assert.deepEqual(await strays([['', '/own2']], of('', dir('own'))), [':/own2', ':/own']);
  assert.deepEqual(await strays([['cpu', '/own']], of('cpu', dir('own'), dir('other'))), ['cpu:/other']);
});

test('names that lead out of a cgroup, or into options of a mount, are refused', async () => {
  const rows: readonly (() => Promise<unknown>)[] = [
    () => strays([['cpu', '/own']], of('cpu', dir('own', ['../../etc/passwd']))),
    () => strays([['cpu', '/own']], of('cpu', dir('own', [], [dir('a', [], [dir('..')])]))),
    () => strays([['cpu', '/own']], of('cpu', dir('own', ['..']))),
    () => strays([], of('cpu', dir('/own'))),
    () => strays([], of('cpu', dir(''))),
    () => strays([['cpu', '/own/../..']], of('cpu', dir('own'))),
    () => strays([['cpu', 'own']], of('cpu', dir('own'))),
    () => strays([['cpu', '/own/below', 8]], of('cpu', dir('own'))),
    () => strays([], of('cpu,release_agent=/x')),
    () => strays([], of('../cpu')),
    () => strays([], of('name=..')),
    () => strays([], of('cpu', dir('own')), of('cpu', dir('own'))),
  ];
  for (const [at, row] of rows.entries()) {
    await assert.rejects(row, (error) => isCryopodError(error, 'IMAGE_INVALID'), `row ${at}`);
  }
});
