import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ambiguousMounts, exposedPaths } from './exposed-paths.ts';
import type { ImageMount } from './view/mounts.ts';

const mount = (
  id: number,
  parent: number,
  type: string,
  destination: string,
  more: Partial<ImageMount> = {},
): ImageMount => ({
  id,
  parent,
  destination,
  type,
  source: type,
  root: '/',
  options: '',
  external: false,
  readOnly: false,
  key: undefined,
  ...more,
});

const ROOT = mount(1, 0, 'overlay', '/');
const PROC = mount(2, 1, 'proc', '/proc');
const SYS = mount(3, 1, 'sysfs', '/sys', { readOnly: true });
const GUARDS = [
  mount(4, 2, 'proc', '/proc/sys', { root: '/sys', readOnly: true }),
  mount(5, 2, 'tmpfs', '/proc/keys', { root: '/null' }),
  mount(6, 3, 'tmpfs', '/sys/firmware', { readOnly: true }),
];
const USUAL = [ROOT, PROC, SYS, ...GUARDS];
const PATHS = { masked: ['/proc/keys', '/sys/firmware'], readOnly: ['/proc/sys'] };
const NONE = { visible: [], writable: [] };

test('nothing is open where a mount lies on each path, whatever it is', () => {
  assert.deepEqual(exposedPaths(USUAL, PATHS), NONE);
  const masked = { masked: ['/proc/sys', '/etc/passwd'], readOnly: [] };
  assert.deepEqual(exposedPaths(USUAL, masked).visible, ['/proc/sys'], 'read-only is not hidden');
});

test('a path is open where its mount is missing, lies elsewhere, or may be written to', () => {
  const rows: readonly (readonly [string, readonly ImageMount[], object])[] = [
    ['missing', [ROOT, PROC, SYS], { visible: PATHS.masked, writable: PATHS.readOnly }],
    [
      'on another mount',
      USUAL.map((one) => (one.id === 5 ? { ...one, parent: 1 } : one)),
      { ...NONE, visible: ['/proc/keys'] },
    ],
    ['writable', USUAL.map((one) => ({ ...one, readOnly: false })), { ...NONE, writable: ['/proc/sys'] }],
    [
      'all again at another place',
      [...USUAL, mount(7, 1, 'proc', '/mnt')],
      { visible: ['/proc/keys'], writable: ['/proc/sys'] },
    ],
    [
      'all again on top',
      [...USUAL, mount(7, 2, 'proc', '/proc')],
      { visible: ['/proc/keys'], writable: ['/proc/sys'] },
    ],
    [
      'the part itself',
      [...USUAL, mount(7, 1, 'proc', '/mnt', { root: '/sys' })],
      { ...NONE, writable: ['/proc/sys'] },
    ],
    [
      'a part of it',
      [...USUAL, mount(7, 1, 'proc', '/mnt', { root: '/sys/kernel' })],
      { ...NONE, writable: ['/proc/sys'] },
    ],
    [
      'the hidden file alone',
      [...USUAL, mount(7, 1, 'proc', '/mnt', { root: '/keys', readOnly: true })],
      { ...NONE, visible: ['/proc/keys'] },
    ],
  ];
  for (const [what, mounts, expected] of rows) assert.deepEqual(exposedPaths(mounts, PATHS), expected, what);
});

test('a part of the kernel that holds no such path opens none, nor does one under another mount', () => {
  const part = mount(7, 1, 'proc', '/mnt', { root: '/net' });
  const beneath = [mount(7, 1, 'proc', '/mnt'), mount(8, 7, 'tmpfs', '/mnt')];
  for (const more of [[part], beneath]) assert.deepEqual(exposedPaths([...USUAL, ...more], PATHS), NONE);
});

test('two mounts of one number, or on one directory of one mount, are told', () => {
  assert.deepEqual(ambiguousMounts(USUAL), []);
  const number = mount(4, 1, 'tmpfs', '/x');
  const place = mount(9, 2, 'proc', '/proc/sys');
  assert.deepEqual(ambiguousMounts([...USUAL, number, place]), [number, place]);
});
