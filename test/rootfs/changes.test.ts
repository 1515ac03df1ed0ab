import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, open, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { isCryopodError } from '../../src/model/errors.ts';
import { applyChanges } from '../../src/rootfs/apply-changes.ts';
import { writeChanges } from '../../src/rootfs/changes-archive.ts';
import { diffContainer } from '../../src/rootfs/diff.ts';
import { mergedDirectory, mountRootfs, unmountRootfs } from '../../src/rootfs/overlay.ts';
import { overlayDirectory, type StorePaths } from '../../src/system/store-paths.ts';
import { ID, makeLayer, sh, withStore } from './support.ts';

const CLONE = 'd'.repeat(64);

const BASE = `
  mkdir -p etc bin usr/share/doc var/lib/app opt/old data
  echo root > etc/passwd; echo v1 > etc/conf; ln -s conf etc/link; ln -s /etc etc/loop
  for f in sh ls y; do echo $f > bin/$f; done; ln bin/sh bin/hard
  for f in a b c; do echo $f > usr/share/doc/$f; done
  echo 1 > var/lib/app/state; echo 1 > opt/old/one; echo 2 > opt/old/two
  chown 33:44 var/lib/app; chmod 2750 var/lib/app; touch -d 2020-02-02 var/lib/app data`;

/** Everything that can be seen of a tree, one line a path. */
const listing = (root: string): string =>
  sh(
    root,
    `find . -printf '%P|%y|%m|%U:%G|%l|' \\( -type d -printf '\\n' -o -printf '%n|%s|%t\\n' \\) | LC_ALL=C sort
    find . -type f -exec md5sum {} + | LC_ALL=C sort -k2`,
  );

/** Moves the changes that `script` makes in one container to another; both then look the same. */
async function transfer(store: StorePaths, layers: readonly string[], script: string): Promise<string> {
  const rootfs = await mountRootfs(store, ID, layers);
  sh(rootfs, script);
  const archive = join(store.root, 'rootfs-diff.tar');
  const output = await open(archive, 'w');
  const deletions = await writeChanges(rootfs, diffContainer(store, ID, layers), output.fd);
  await output.close();
  await apply(store, layers, archive, deletions.deleted);
  const copy = await mountRootfs(store, CLONE, layers);
  const texts = [listing(rootfs), listing(copy)];
  assert.equal(texts[1], texts[0]);
  assert.deepEqual(await lines(store, CLONE, layers), await lines(store, ID, layers));
  return copy;
}

async function lines(store: StorePaths, id: string, layers: readonly string[]): Promise<string[]> {
  const list: string[] = [];
  for await (const { kind, raw } of diffContainer(store, id, layers))
    list.push(`${kind} ${raw.toString('latin1')}`);
  return list;
}

async function apply(
  store: StorePaths,
  layers: readonly string[],
  archive: string,
  deleted: readonly string[] = [],
): Promise<void> {
  const input = await open(archive, 'r');
  try {
    await applyChanges(store, CLONE, layers, input.fd, { deleted, sync: true });
  } finally {
    await input.close();
  }
}

const moves = (script: string): Promise<void> =>
  withStore(async (store) => {
    await transfer(store, [await makeLayer(store, 'one', BASE)], script);
  });

describe('the changes of a container moved to another one', () => {
  it('hold added, changed and deleted files with owners, modes and times', () =>
    moves(`echo x > etc/x; chown 7:8 etc/x; chmod 4755 etc/x; echo v2 > etc/conf; rm bin/y; touch -d 2001-01-01 bin/ls
      mkdir -p srv/deep/er; echo s > srv/deep/er/s; chmod 1777 srv/deep`));

  it('hold the owner and mode of directories', () =>
    moves('chown 9 usr/share; chmod 700 bin; chmod 711 data'));

  it('hold links, FIFOs, devices, sparse files and an empty directory', () =>
    moves(`ln -sfn passwd etc/link; echo n > a; ln a b; mkfifo fifo; mknod null c 1 3; truncate -s 64M sparse
      echo end >> sparse; mkdir empty; ln -s /etc/shadow out`));

  it('hold kinds that changed and directories made anew', () =>
    moves(`rm -r opt/old; echo f > opt/old; rm bin/y; mkdir bin/y; echo in > bin/y/in
      rm -r usr/share/doc; mkdir usr/share/doc; echo b2 > usr/share/doc/b; rm -r var; ln -s opt var`));

  it('hold every name of a hard-linked file', () => moves('echo new > bin/hard'));

  it('hold names with spaces, line breaks, backslashes, a leading dash and bytes that are no UTF-8', () =>
    moves(`mkdir -- '-d' "$(printf 'd\\377\\nx')" 'back\\slash' 'sp ace' ; chmod 710 -- * ; chmod 711 .
      for d in '-d' "$(printf 'd\\377\\nx')" 'back\\slash' 'sp ace'; do echo x > "./$d/-f \\"q"; done`));

  it('leave the parents of a change as they are in the image', () =>
    withStore(async (store) => {
      const layers = [await makeLayer(store, 'one', BASE)];
      // As in podman's archives: the file without its directories.
      sh(
        store.root,
        'mkdir -p t/var/lib/app; echo 2 > t/var/lib/app/state; tar -C t -cf a.tar var/lib/app/state',
      );
      await apply(store, layers, join(store.root, 'a.tar'), ['/bin/y', '/not/there']);
      const copy = await mountRootfs(store, CLONE, layers);
      assert.equal(
        sh(copy, 'cat var/lib/app/state; stat -c "%u:%g %a %y" var/lib/app | cut -c1-21; ls bin'),
        '2\n33:44 2750 2020-02-02\nhard\nls\nsh\n',
      );
      assert.deepEqual(await lines(store, CLONE, layers), [
        'C /bin',
        'D /bin/y',
        'C /var',
        'C /var/lib',
        'C /var/lib/app',
        'C /var/lib/app/state',
      ]);
    }));

  it('are refused where the container has changes already', () =>
    withStore(async (store) => {
      const layers = [await makeLayer(store, 'one', BASE)];
      sh(await mountRootfs(store, CLONE, layers), 'echo mine > etc/mine');
      await unmountRootfs(store, CLONE);
      sh(store.root, 'echo x > x; tar -cf a.tar x');
      await assert.rejects(apply(store, layers, join(store.root, 'a.tar')), (e) =>
        isCryopodError(e, 'CONTAINER_STATE'),
      );
      assert.equal(
        sh(await mountRootfs(store, CLONE, layers), 'cat etc/mine; ls x 2>&1 || true').split('\n')[0],
        'mine',
      );
      assert.deepEqual(
        (await readdir(overlayDirectory(store, CLONE))).filter((name) => name.startsWith('.tmp')),
        [],
      );
    }));
});

describe('a hostile archive of changes', () => {
  /** Applies an archive that a Python script makes and looks whether anything outside changed. */
  const attack = (members: string, deleted: readonly string[] = []): Promise<boolean> => {
    let accepted = true;
    return withStore(async (store, base) => {
      const layers = [await makeLayer(store, 'one', `${BASE}; ln -s ${base}/host escape`)];
      await mkdir(join(base, 'host'));
      await writeFile(join(base, 'host/file'), 'host');
      const archive = join(store.root, 'evil.tar');
      const code = `import tarfile, io, sys
t = tarfile.open(sys.argv[1], 'w'); base = sys.argv[2]
def member(name, kind=tarfile.REGTYPE, link='', data=b'evil', **more):
    m = tarfile.TarInfo(name); m.type = kind; m.linkname = link; m.mode = 0o755
    m.size = len(data) if kind == tarfile.REGTYPE else 0
    for k, v in more.items(): setattr(m, k, v)
    t.addfile(m, io.BytesIO(data) if m.size else None)
${members}
t.close()`;
      execFileSync('python3', ['-c', code, archive, base]);
      try {
        await apply(store, layers, archive, deleted);
      } catch (error) {
        assert.ok(isCryopodError(error, 'ARCHIVE_INVALID'), String(error));
        accepted = false;
        assert.equal(existsSync(mergedDirectory(store, CLONE)), false);
      }
      assert.equal(sh(base, 'cat host/*; ls host'), 'hostfile\n');
      assert.equal(existsSync(join(base, 'evil')), false);
    }).then(() => accepted);
  };

  it('does not write above the root', async () => {
    assert.equal(await attack("member('../../../../../evil')"), false);
    assert.equal(await attack("member(base + '/evil')"), true);
  });

  it('does not write through a link in it or in the image', async () => {
    await attack("member('l', tarfile.SYMTYPE, base + '/host'); member('l/file')");
    await attack("member('l', tarfile.SYMTYPE, '../../../../../../host'); member('l/file')");
    await attack("member('escape/file')");
    await attack("member('h', tarfile.LNKTYPE, base + '/host/file'); member('h')");
    await attack(
      "member('l', tarfile.SYMTYPE, base + '/host'); member('h', tarfile.LNKTYPE, 'l/file'); member('h')",
    );
  });

  it('does not delete outside', async () => {
    assert.equal(await attack("member('x')", ['/../../host/file']), false);
    assert.equal(await attack("member('x')", ['/']), false);
    assert.equal(await attack("member('x')", ['/escape/file']), true);
    assert.equal(
      await attack("member('opt', tarfile.SYMTYPE, base + '/host')", ['/opt/file', '/opt/old']),
      true,
    );
  });

  it('brings no attributes of overlayfs', () =>
    withStore(async (store) => {
      const layers = [await makeLayer(store, 'one', BASE)];
      const code = `import tarfile, sys
t = tarfile.open(sys.argv[1], 'w', format=tarfile.PAX_FORMAT); m = tarfile.TarInfo('opt'); m.type = tarfile.DIRTYPE
m.mode = 0o755; m.pax_headers = {'SCHILY.xattr.trusted.overlay.opaque': 'y', 'SCHILY.xattr.user.kept': 'yes'}
t.addfile(m); t.close()`;
      const archive = join(store.root, 'a.tar');
      execFileSync('python3', ['-c', code, archive]);
      await apply(store, layers, archive);
      assert.equal(sh(await mountRootfs(store, CLONE, layers), 'ls opt'), 'old\n');
    }));

  it('is refused where it is no archive, and leaves nothing', () =>
    withStore(async (store) => {
      const layers = [await makeLayer(store, 'one', BASE)];
      await writeFile(join(store.root, 'a.tar'), 'this is no tar archive'.repeat(100));
      await assert.rejects(apply(store, layers, join(store.root, 'a.tar')), (e) =>
        isCryopodError(e, 'ARCHIVE_INVALID'),
      );
      assert.deepEqual(await readdir(overlayDirectory(store, CLONE)), []);
    }));

  it('fails with the error of whoever lists the changes, while tar still waits for names', () =>
    withStore(async (store) => {
      const layer = await makeLayer(store, 'one', BASE);
      const rootfs = await mountRootfs(store, ID, [layer]);
      const output = await open('/dev/null', 'w');
      async function* broken(): AsyncGenerator<never> {
        yield* [];
        throw new Error('no list');
      }
      await assert.rejects(writeChanges(rootfs, broken(), output.fd), /no list/);
      await output.close();
    }));
});
