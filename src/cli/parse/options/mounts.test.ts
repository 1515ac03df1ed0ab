import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseMountFlag } from './mount-flag.ts';
import { parseMounts, parseTmpfs, parseVolume } from './mounts.ts';
import { assertRefused } from './testing.ts';

const mounts = (flags: { volume?: string[]; mount?: string[]; tmpfs?: string[] }) =>
  parseMounts({ volume: [], mount: [], tmpfs: [], ...flags }, '/home/me');

test('volumes are bind mounts, named or anonymous by their source', () => {
  assert.deepEqual(mounts({ volume: ['/a:/b:ro,z', './c:/d', '../e:/f/', 'data:/g:U,rbind', '/h'] }), [
    { type: 'bind', source: '/a', destination: '/b', options: ['ro', 'z'] },
    { type: 'bind', source: '/home/me/c', destination: '/d', options: [] },
    { type: 'bind', source: '/home/e', destination: '/f', options: [] },
    { type: 'volume', source: 'data', destination: '/g', options: ['U', 'rbind'] },
    { type: 'volume', source: '', destination: '/h', options: [], anonymous: true },
  ]);
  assert.deepEqual(parseVolume('/a:/b:cached,ro').options, ['ro']);
});

test('wrong volumes are refused with the words of podman', () => {
  const refusals: Readonly<Record<string, string | RegExp>> = {
    '/a:/b:ro:x': '/a:/b:ro:x: incorrect volume format, should be [host-dir:]ctr-dir[:option]',
    ':/b': 'host directory cannot be empty',
    '/a:': 'container directory cannot be empty',
    '/a:b': 'invalid container path "b", must be an absolute path',
    data: 'invalid container path "data", must be an absolute path',
    '/a:/b:foo': 'invalid option type "foo"',
    '/a:/b:ro,rw': `invalid options "ro, rw", can only specify 1 'rw' or 'ro' option`,
    '/a:/b:z,Z': `invalid options "z, Z", can only specify 1 'z', 'Z', or 'O' option`,
    '/a:/b:shared,rslave': /can only specify 1 '\[r\]shared'/,
    '/a:/b:O': 'overlay volumes (option O) are not supported',
  };
  for (const [text, message] of Object.entries(refusals)) assertRefused(() => parseVolume(text), message);
  assertRefused(() => mounts({ volume: ['-x:/b'] }), /^volume name "-x": names must match/);
});

test('--mount is read in all its types', () => {
  assert.deepEqual(
    mounts({
      mount: [
        'type=bind,src=/a,dst=/b,ro,bind-propagation=rslave,relabel=shared',
        'type=bind,source=rel,target=/r,readonly=false',
        'type=volume,source=data,destination=/c,rw=false,U=true',
        'type=tmpfs,dst=/d,tmpfs-size=64m,tmpfs-mode=1777,noexec',
        'target=/e',
        'type=bind,dst=/f',
      ],
    }),
    [
      { type: 'bind', source: '/a', destination: '/b', options: ['ro', 'rslave', 'z'] },
      { type: 'bind', source: '/home/me/rel', destination: '/r', options: [] },
      { type: 'volume', source: 'data', destination: '/c', options: ['ro', 'U'] },
      { type: 'tmpfs', source: '', destination: '/d', options: ['size=64m', 'mode=1777', 'noexec'] },
      { type: 'volume', source: '', destination: '/e', options: [], anonymous: true },
      { type: 'bind', source: '/f', destination: '/f', options: [] },
    ],
  );
});

test('wrong values of --mount are refused with the words of podman', () => {
  const refusals: Readonly<Record<string, string | RegExp>> = {
    '': /^incorrect mount format/,
    'type=image,src=a,dst=/b': 'invalid filesystem type "image"',
    'type=bind,src=/a': 'must set volume destination',
    'type=bind,src,dst=/b': 'src: must provide an argument for option',
    'type=bind,src=,dst=/b': 'host directory cannot be empty: must provide an argument for option',
    'type=tmpfs,src=/a,dst=/b': '"src" option not supported for "tmpfs" mount types',
    'type=bind,src=/a,dst=/b,tmpfs-size=1': '"tmpfs-size" option not supported for "bind" mount types',
    'type=bind,src=/a,src=/c,dst=/b': /cannot pass "src" option more than once/,
    'type=bind,src=/a,dst=/b,ro,rw': /cannot pass 'readonly', 'ro', or 'rw' options more than once/,
    'type=bind,src=/a,dst=b': 'invalid container path "b", must be an absolute path',
    'type=bind,src=/a,dst=/b,what': 'what: invalid mount option',
    'type=bind,src=/a,dst=/b,constructor': 'constructor: invalid mount option',
    'type=bind,src=/a,dst=/b,U=maybe': /'U' or 'chown' must be set to true or false/,
    'type=bind,src=/a,dst=/b,relabel=x':
      "relabel mount option must be 'private' or 'shared': invalid mount option",
    'type=bind,src=/a,dst=/b,bind-propagation=x': 'invalid value "bind-propagation=x"',
  };
  for (const [text, message] of Object.entries(refusals)) assertRefused(() => parseMountFlag(text), message);
});

test('--tmpfs takes size, mode and flags', () => {
  assert.deepEqual(parseTmpfs('/x:size=64m,mode=1777,noexec'), {
    type: 'tmpfs',
    source: '',
    destination: '/x',
    options: ['size=64m', 'mode=1777', 'noexec'],
  });
  assert.deepEqual(parseTmpfs('/x').options, []);
  assertRefused(() => parseTmpfs('/x:bogus'), 'unknown mount option "bogus": invalid mount option');
  assertRefused(() => parseTmpfs('/x:size=lots'), 'unknown mount option "size=lots": invalid mount option');
  assertRefused(
    () => parseTmpfs('/x:size=1,size=2'),
    'only one tmpfs size can be specified: duplicate mount option passed',
  );
  assertRefused(() => parseTmpfs('x'), 'invalid container path "x", must be an absolute path');
});

test('two mounts at one place are refused unless they are the same', () => {
  assert.equal(mounts({ volume: ['/a:/b', '/a:/b/'] }).length, 1);
  assertRefused(() => mounts({ volume: ['/a:/b', '/c:/b'] }), '/b: duplicate mount destination');
  assertRefused(() => mounts({ volume: ['/a:/b'], tmpfs: ['/b'] }), '/b: duplicate mount destination');
});
