import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { closeSync, fstatSync, readdirSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import fc from 'fast-check';
import { isCryopodError } from '../model/errors.ts';
import {
  existsInRoot,
  makeDirectoryInRoot,
  makeFileInRoot,
  openInRoot,
  readFileInRoot,
  resolveInRoot,
} from './confined-path.ts';

describe('paths confined in a root file system', () => {
  let base = '';
  let root = '';

  beforeEach(async () => {
    base = await mkdtemp(join(tmpdir(), 'cryopod-confined-'));
    root = join(base, 'root');
    await mkdir(join(root, 'etc'), { recursive: true });
    await mkdir(join(root, 'usr/lib'), { recursive: true });
    await writeFile(join(root, 'etc/passwd'), 'root:x:0:0::/root:/bin/sh\n');
    await mkdir(join(base, 'outside'));
    await writeFile(join(base, 'outside/secret'), 'host secret\n');
  });
  afterEach(() => rm(base, { recursive: true }));

  it('resolves plain, missing and dotted paths below the root', () => {
    assert.equal(resolveInRoot(root, '/etc/passwd'), join(root, 'etc/passwd'));
    assert.equal(resolveInRoot(root, 'etc//./passwd'), join(root, 'etc/passwd'));
    assert.equal(resolveInRoot(root, '/no/such/../path'), join(root, 'no/path'));
    assert.equal(resolveInRoot(root, '/../../../etc'), join(root, 'etc'));
    assert.equal(resolveInRoot(root, '/'), root);
  });

  it('follows relative and absolute links inside the root only', async () => {
    await symlink('usr/lib', join(root, 'lib'));
    await symlink('/etc', join(root, 'usr/config'));
    await symlink('../../../../outside', join(root, 'usr/up'));
    await symlink('/proc/self/root', join(root, 'magic'));
    assert.equal(resolveInRoot(root, '/lib/x.so'), join(root, 'usr/lib/x.so'));
    assert.equal(resolveInRoot(root, '/usr/config/passwd'), join(root, 'etc/passwd'));
    assert.equal(resolveInRoot(root, '/usr/up/secret'), join(root, 'outside/secret'));
    assert.equal(resolveInRoot(root, '/magic/etc'), join(root, 'proc/self/root/etc'));
    assert.equal(resolveInRoot(root, '/lib', { followLast: false }), join(root, 'lib'));
    assert.equal(resolveInRoot(root, '/lib/', { followLast: false }), join(root, 'lib'));
  });

  it('goes up from where a link leads, not from where it lies', async () => {
    await symlink('/usr/lib', join(root, 'etc/deep'));
    assert.equal(resolveInRoot(root, '/etc/deep/../x'), join(root, 'usr/x'));
  });

  it('refuses a loop of links and a NUL byte', async () => {
    await symlink('b', join(root, 'a'));
    await symlink('a', join(root, 'b'));
    assert.throws(
      () => resolveInRoot(root, '/a'),
      (error) => isCryopodError(error, 'IMAGE_INVALID'),
    );
    assert.throws(
      () => resolveInRoot(root, '/etc\0x'),
      (error) => isCryopodError(error, 'USAGE'),
    );
  });

  it('reads files of the root and never those of the host', async () => {
    await symlink(join(base, 'outside/secret'), join(root, 'etc/group'));
    assert.match(readFileInRoot(root, '/etc/passwd') ?? '', /^root:/);
    assert.equal(readFileInRoot(root, '/etc/group'), undefined);
    assert.equal(existsInRoot(root, '/etc/group'), false);
    assert.equal(existsInRoot(root, '/etc/group', { followLast: false }), true);
  });

  it('refuses to read FIFOs, directories and files over the limit, without blocking', () => {
    execFileSync('mkfifo', [join(root, 'etc/fifo')]);
    for (const path of ['/etc/fifo', '/etc']) {
      assert.throws(
        () => readFileInRoot(root, path),
        (error) => isCryopodError(error, 'IMAGE_INVALID'),
      );
    }
    assert.throws(() => readFileInRoot(root, '/etc/passwd', 3), /larger than 3 bytes/);
    const fd = openInRoot(root, '/etc/fifo');
    assert.ok(fd !== undefined && fstatSync(fd).isFIFO());
    closeSync(fd);
  });

  it('creates directories and files only inside, also behind hostile links', async () => {
    await symlink(join(base, 'outside'), join(root, 'escape'));
    await symlink('../../outside/new', join(root, 'usr/dangling'));
    assert.equal(makeDirectoryInRoot(root, '/escape/made'), join(root, base, 'outside/made'));
    assert.equal(makeFileInRoot(root, '/usr/dangling'), join(root, 'outside/new'));
    assert.deepEqual(await readdir(join(base, 'outside')), ['secret']);
    assert.ok((await stat(join(root, 'outside/new'))).isFile());
  });

  it('creates idempotently and says when something else has the name', () => {
    assert.equal(makeDirectoryInRoot(root, '/srv/a/b', 0o700), makeDirectoryInRoot(root, '/srv/a/b'));
    assert.equal(makeFileInRoot(root, '/srv/f'), makeFileInRoot(root, '/srv/f'));
    assert.throws(() => makeDirectoryInRoot(root, '/etc/passwd'), /not a directory/);
    assert.throws(() => makeDirectoryInRoot(root, '/etc/passwd/x'), /not a directory/);
    assert.throws(() => makeFileInRoot(root, '/etc'), /is a directory/);
  });

  it('gives new files and directories their mode whatever the umask is', async () => {
    const umask = process.umask(0o077);
    try {
      makeFileInRoot(root, '/open/file');
    } finally {
      process.umask(umask);
    }
    assert.equal((await stat(join(root, 'open'))).mode & 0o777, 0o755);
    assert.equal((await stat(join(root, 'open/file'))).mode & 0o777, 0o644);
  });

  it('never leaves the root, whatever the links and paths are', async () => {
    const part = fc.constantFrom('..', '.', '', 'a', 'b', 'c', 'etc', 'outside', 'proc/self/cwd');
    const path = fc.array(part, { maxLength: 6 }).map((parts) => parts.join('/'));
    const target = fc
      .tuple(fc.constantFrom('', '/', '../../', base), path)
      .map(([start, rest]) => `${start}${rest}`);
    await fc.assert(
      fc.asyncProperty(fc.array(target, { maxLength: 3 }), path, async (targets, wanted) => {
        const tree = await mkdtemp(join(base, 'tree-'));
        await mkdir(join(tree, 'etc'));
        for (const [i, to] of targets.entries()) await symlink(to || '.', join(tree, 'abc'.charAt(i)));
        try {
          const resolved = resolveInRoot(tree, wanted);
          assert.ok(resolved === tree || resolved.startsWith(`${tree}/`), resolved);
          assert.ok(!resolved.split('/').includes('..'));
          assert.equal(resolveInRoot(tree, resolved.slice(tree.length)), resolved);
        } catch (error) {
          assert.ok(isCryopodError(error, 'IMAGE_INVALID'), String(error));
        }
      }),
      { numRuns: 300 },
    );
  });

  it('closes every file descriptor', () => {
    const before = readdirSync('/proc/self/fd').length;
    for (let i = 0; i < 20; i += 1) {
      resolveInRoot(root, '/usr/lib/../../etc/passwd');
      makeDirectoryInRoot(root, '/x/y/z');
      assert.throws(() => makeDirectoryInRoot(root, '/etc/passwd'));
    }
    assert.equal(readdirSync('/proc/self/fd').length, before);
  });
});
