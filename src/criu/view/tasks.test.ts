import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { isCryopodError } from '../../model/errors.ts';
import { IMAGE_MAGIC } from '../images.ts';
import { readFileTable } from './file-entries.ts';
import { describeFile } from './files.ts';
import { describeSocket } from './sockets.ts';
import { readTasks } from './tasks.ts';
import { type Fields, imageOf, message } from './testing.ts';

const directory = mkdtempSync(join(tmpdir(), 'cryopod-tasks-'));
after(() => rmSync(directory, { recursive: true, force: true }));
const put = (name: string, magic: number, ...entries: readonly Fields[]): void =>
  writeFileSync(join(directory, name), imageOf(magic, ...entries.map(message)));

const process = (pid: number, parent: number, ...threads: readonly number[]): Fields => [
  [1, pid],
  [2, parent],
  [3, pid],
  [4, 1],
  ...threads.map((thread): readonly [number, number] => [5, thread]),
];

/** A core image with the part of XSAVE's state in use, and of a process its state. */
const core = (xstateBv: number, state?: number): Fields => {
  const xsave = message([[1, xstateBv]]);
  const info = message([[3, message([[13, xsave]])]]);
  const tc = message([
    [1, state ?? 0],
    [2, 0],
    [6, 'app'],
  ]);
  const mtype: Fields = [[1, 1]];
  return [...mtype, [2, info], ...(state === undefined ? [] : [[3, tc] as const])];
};

test('processor state in use is gathered from all threads', async () => {
  put('pstree.img', IMAGE_MAGIC.pstree, process(1, 0, 1, 9), process(2, 1, 2));
  put('core-1.img', IMAGE_MAGIC.core, core(3, 1));
  put('core-9.img', IMAGE_MAGIC.core, core(0b110_0100));
  put('core-2.img', IMAGE_MAGIC.core, core(0, 2));
  const [first, second] = await readTasks(directory);
  assert.deepEqual(first?.cpuState, ['x87', 'sse', 'avx', 'avx512']);
  assert.deepEqual([first?.state, second?.state, second?.parent], ['Alive', 'Dead', 1]);
});

test('a tree that names a process twice is refused', async () => {
  put('pstree.img', IMAGE_MAGIC.pstree, process(1, 0, 1), process(1, 1, 1));
  await assert.rejects(readTasks(directory), (error) => isCryopodError(error, 'IMAGE_INVALID'));
});

const options = message([
  [1, 16384],
  [2, 131072],
]);
const inet = (family: number, addresses: Fields): Buffer =>
  message([[3, family], [4, 1], [5, 6], [6, 1], [7, 80], [8, 4000], [10, 0], ...addresses, [14, options]]);
const unix = (inode: number, peer: number, name: string): Buffer =>
  message([
    [2, inode],
    [3, 1],
    [4, 1],
    [8, peer],
    [10, options],
    [11, Buffer.from(name)],
  ]);

test('files and sockets are described', async () => {
  const address6: Fields = [0xb80d0120, 0, 0, 0x01000000].flatMap(
    (word): Fields => [
      [11, word],
      [12, word],
    ],
  );
  const entry = (type: number, id: number, field: number, content: Buffer): Fields => [
    [1, type],
    [2, id],
    [field, content],
  ];
  put(
    'files.img',
    IMAGE_MAGIC.files,
    entry(
      4,
      1,
      4,
      inet(2, [
        [11, 0x0500580a],
        [12, 0x0100007f],
      ]),
    ),
    entry(4, 2, 4, inet(10, address6)),
    entry(5, 3, 16, unix(100, 200, '\0abstract')),
    entry(5, 4, 16, unix(200, 100, '/run/x\0')),
    entry(
      7,
      5,
      9,
      message([
        [4, message([[2, 3]])],
        [4, message([[2, 8]])],
      ]),
    ),
    entry(9, 6, 10, message([[4, 1n << 63n]])),
  );
  const table = await readFileTable(directory);
  const socket = (id: number) => describeSocket({ id, fd: id, flags: 0, type: 4 }, table);
  const { fd: _fd, ...ends } = socket(1) ?? { fd: 0 };
  assert.deepEqual(ends, {
    family: 'INET',
    protocol: 'TCP',
    state: 'ESTABLISHED',
    source: '10.88.0.5',
    sourcePort: 80,
    peer: '127.0.0.1',
    peerPort: 4000,
    sendBuffer: 16384,
    receiveBuffer: 131072,
  });
  assert.deepEqual([socket(2)?.family, socket(2)?.source], ['INET6', '2001:db8::1']);
  assert.deepEqual([socket(3)?.source, socket(3)?.peer], ['@abstract', '/run/x']);
  assert.equal(socket(5), undefined);
  const path = (id: number, type: number): string => describeFile({ id, fd: 0, flags: 0, type }, table).path;
  assert.equal(path(4, 5), 'unix[200 (100) /run/x]');
  assert.equal(path(5, 7), 'epoll, watches 3, 8');
  assert.equal(path(6, 9), 'signalfd, signals 64');
  assert.equal(path(77, 1), 'REG.77');
});
