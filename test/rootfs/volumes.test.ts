import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { chmod, chown, mkdir, readdir, readFile, stat, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { mountRootfs } from '../../src/rootfs/overlay.ts';
import { mountShm, unmountShm } from '../../src/rootfs/shm.ts';
import { loadShm, saveShm } from '../../src/rootfs/shm-archive.ts';
import {
  copyUp,
  createVolumeDirectory,
  removeVolumeDirectory,
  volumeNames,
  volumeSize,
} from '../../src/rootfs/volumes.ts';
import { ensureMountTargets, ensureWorkdir } from '../../src/rootfs/workdir.ts';
import { ID, makeLayer, sh, withStore } from './support.ts';

describe('the files of a volume', () => {
  it('are made idempotently, open to users inside and closed to users of the host', () =>
    withStore(async (store) => {
      const mountpoint = await createVolumeDirectory(store, 'data');
      await chmod(mountpoint, 0o1770);
      assert.equal(await createVolumeDirectory(store, 'data'), mountpoint);
      assert.equal((await stat(mountpoint)).mode & 0o7777, 0o1770);
      assert.equal((await stat(join(mountpoint, '..'))).mode & 0o777, 0o700);
      assert.deepEqual(await volumeNames(store), ['data']);
      await removeVolumeDirectory(store, 'data');
      await removeVolumeDirectory(store, 'data');
      assert.deepEqual(await volumeNames(store), []);
    }));

  it('can be measured', () =>
    withStore(async (store) => {
      await writeFile(join(await createVolumeDirectory(store, 'data'), 'f'), Buffer.alloc(1 << 20));
      const size = await volumeSize(store, 'data');
      assert.ok(size >= 1 << 20 && size < 2 << 20, `${size}`);
    }));

  it('come from the image on first use, with owners, modes, links and the directory itself', () =>
    withStore(async (store) => {
      const layer = await makeLayer(
        store,
        'one',
        'mkdir -p var/lib; echo db > var/lib/file; ln -s /etc/x var/lib/link',
      );
      await chown(join(layer, 'var/lib'), 70, 71);
      await chmod(join(layer, 'var/lib'), 0o2750);
      await chown(join(layer, 'var/lib/file'), 72, 73);
      await symlink('var/lib', join(layer, 'data'));
      const rootfs = await mountRootfs(store, ID, [layer]);
      const mountpoint = await createVolumeDirectory(store, 'v');
      await copyUp(rootfs, '/data', mountpoint);
      assert.equal(
        sh(mountpoint, 'stat -c "%n %u %g %a" . file; readlink link'),
        '. 70 71 2750\nfile 72 73 644\n/etc/x\n',
      );
      sh(mountpoint, 'echo mine > file');
      await copyUp(rootfs, '/data', mountpoint);
      assert.equal(sh(mountpoint, 'cat file'), 'mine\n');
    }));

  it('take owner and mode from an empty directory of the image, and nothing from what is no directory', () =>
    withStore(async (store) => {
      const layer = await makeLayer(
        store,
        'one',
        'mkdir empty; chmod 700 empty; chown 9:9 empty; echo x > file',
      );
      const rootfs = await mountRootfs(store, ID, [layer]);
      const mountpoint = await createVolumeDirectory(store, 'v');
      for (const path of ['/file', '/missing']) await copyUp(rootfs, path, mountpoint);
      assert.equal(sh(mountpoint, 'stat -c "%u %a" .'), '0 755\n');
      await copyUp(rootfs, '/empty', mountpoint);
      assert.equal(sh(mountpoint, 'stat -c "%u %a" .'), '9 700\n');
    }));

  it('are complete or absent after a crash in the middle, and what it left is cleared', () =>
    withStore(async (store) => {
      const rootfs = await mountRootfs(store, ID, [
        await makeLayer(store, 'one', 'mkdir d; echo 1 > d/a; echo 2 > d/b'),
      ]);
      const mountpoint = await createVolumeDirectory(store, 'v');
      const code = `import { copyUp } from '${import.meta.resolve('../../src/rootfs/volumes.ts')}';
        await copyUp(...process.argv.slice(1));`;
      const args = ['--input-type=module', '-e', code, rootfs, '/d', mountpoint];
      const env = { ...process.env, CRYOPOD_FAULT: 'durable.before-rename:kill' };
      assert.equal(spawnSync(process.execPath, args, { env }).signal, 'SIGKILL');
      assert.deepEqual(await readdir(mountpoint), []);
      execFileSync(process.execPath, args);
      assert.deepEqual((await readdir(mountpoint)).sort(), ['a', 'b']);
      assert.deepEqual(await readdir(join(mountpoint, '..')), ['_data']);
    }));
});

describe('what a container needs in its root file system', () => {
  it('is made inside it, whatever links lie there', () =>
    withStore(async (store, base) => {
      await mkdir(join(base, 'host'));
      const layer = await makeLayer(store, 'one', `mkdir etc; ln -s ${base}/host escape; ln -s ../../.. up`);
      const rootfs = await mountRootfs(store, ID, [layer]);
      ensureMountTargets(rootfs, [
        { destination: '/escape/dir', kind: 'directory' },
        { destination: '/up/up/file', kind: 'file' },
        { destination: '/etc', kind: 'file' },
      ]);
      ensureWorkdir(rootfs, '/escape/work/here', { uid: 5, gid: 6 });
      ensureWorkdir(rootfs, '/etc', { uid: 5, gid: 6 });
      assert.deepEqual(await readdir(join(base, 'host')), []);
      assert.ok((await stat(join(rootfs, base, 'host/dir'))).isDirectory());
      assert.ok((await stat(join(rootfs, 'file'))).isFile());
      const owners = sh(rootfs, `stat -c "%u %g" ".${base}/host/work" ".${base}/host/work/here" etc`);
      assert.equal(owners, '0 0\n5 6\n0 0\n');
    }));
});

describe('/dev/shm kept over a checkpoint', () => {
  it('comes back as it was: content, owners, modes, holes, and nothing that was there before', () =>
    withStore(async (store, base) => {
      const archive = join(base, 'shm.tar');
      const shm = await mountShm(store, ID, 8 << 20);
      sh(
        shm,
        'echo x > sem; chmod 600 sem; chown 7:8 sem; mkdir d; truncate -s 1G hole; echo end >> hole; mkfifo d/p',
      );
      await saveShm(store, ID, archive);
      assert.equal((await stat(archive)).mode & 0o077, 0);
      assert.ok((await stat(archive)).size < 1 << 20);
      await unmountShm(store, ID);
      sh(await mountShm(store, ID, 8 << 20), 'echo other > stray');
      await loadShm(store, ID, archive);
      assert.equal(
        sh(
          shm,
          'stat -c "%n %u %g %a" sem; tail -c 4 hole; stat -c %s hole; test -p d/p; test ! -e stray; stat -c %a .',
        ),
        'sem 7 8 600\nend\n1073741828\n1777\n',
      );
      assert.equal(await readFile(join(shm, 'sem'), 'utf8'), 'x\n');
    }));

  it('is nothing where there was none', () =>
    withStore(async (store, base) => {
      await saveShm(store, ID, join(base, 'shm.tar'));
      await mountShm(store, ID, 8 << 20);
      await loadShm(store, ID, join(base, 'shm.tar'));
      assert.deepEqual(await readdir(base), ['run']);
    }));
});
