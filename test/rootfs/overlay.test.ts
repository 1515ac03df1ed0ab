import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { chmod, chown, mkdir, readFile, rename, stat, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { isCryopodError } from '../../src/model/errors.ts';
import {
  mergedDirectory,
  mountRootfs,
  removeContainerFiles,
  unmountRootfs,
  upperDirectory,
} from '../../src/rootfs/overlay.ts';
import { mountShm, shmDirectory, unmountShm } from '../../src/rootfs/shm.ts';
import { isMounted, mountPoints } from '../../src/system/mounts.ts';
import { containerDirectory, runDirectory } from '../../src/system/store-paths.ts';
import { ID, makeLayer, sh, withStore } from './support.ts';

describe('the root file system of a container', () => {
  it('shows the layers on top of each other and keeps changes apart from them', () =>
    withStore(async (store) => {
      const low = await makeLayer(store, 'low', 'echo low > a; echo low > b');
      const high = await makeLayer(store, 'high', 'echo high > b');
      const rootfs = await mountRootfs(store, ID, [low, high]);
      assert.equal(rootfs, mergedDirectory(store, ID));
      assert.equal(sh(rootfs, 'cat a b'), 'low\nhigh\n');
      sh(rootfs, 'echo mine > a; rm b');
      assert.equal(sh(low, 'cat a b'), 'low\nlow\n');
      await unmountRootfs(store, ID);
      assert.equal(existsSync(join(rootfs, 'a')), false);
      await mountRootfs(store, ID, [low, high]);
      assert.equal(sh(rootfs, 'cat a; ls'), 'mine\na\n');
    }));

  it('is mounted and unmounted idempotently', () =>
    withStore(async (store) => {
      const layer = await makeLayer(store, 'one');
      const rootfs = await mountRootfs(store, ID, [layer]);
      await mountRootfs(store, ID, [layer]);
      assert.equal(mountPoints().filter(({ target }) => target === rootfs).length, 1);
      await unmountRootfs(store, ID);
      await unmountRootfs(store, ID);
      assert.equal(isMounted(rootfs), false);
    }));

  it('has the options that a checkpoint and a diff need', () =>
    withStore(async (store) => {
      const rootfs = await mountRootfs(store, ID, [
        await makeLayer(store, 'one', 'echo x > a; ln a b; mkdir d'),
      ]);
      const line = (await readFile('/proc/self/mountinfo', 'utf8'))
        .split('\n')
        .find((l) => l.includes(rootfs));
      for (const option of ['nodev', 'redirect_dir=nofollow', 'index=on', 'nfs_export=on']) {
        assert.ok(line?.includes(option), `${option} in ${line}`);
      }
      assert.ok(!line?.includes('metacopy=on'));
      sh(rootfs, 'echo changed > a; mv d e');
      assert.equal(sh(rootfs, 'cat b'), 'changed\n');
    }));

  it('mounts 400 layers, more than mount options hold as full paths, and a path with commas and colons', () =>
    withStore(async (plain) => {
      const store = { ...plain, root: join(plain.root, 'a,b:c d') };
      const layers: string[] = [];
      for (let i = 0; i < 400; i += 1) layers.push(await makeLayer(store, `${i}`.padStart(64, '0')));
      sh(layers[0] ?? '', 'echo bottom > bottom; echo no > name');
      sh(layers[399] ?? '', 'echo top > name');
      const rootfs = await mountRootfs(store, ID, layers);
      assert.equal(sh(rootfs, 'cat bottom name'), 'bottom\ntop\n');
      await unmountRootfs(store, ID);
    }));

  it('is found mounted when the path of the store leads through a symbolic link', () =>
    withStore(async (real, base) => {
      await mkdir(real.root);
      await symlink(real.root, join(base, 'link'));
      const store = { ...real, root: join(base, 'link') };
      const layers = [await makeLayer(store, 'one', 'echo x > a')];
      for (let i = 0; i < 2; i += 1) assert.equal(sh(await mountRootfs(store, ID, layers), 'cat a'), 'x\n');
      await removeContainerFiles(store, ID);
      assert.equal(existsSync(containerDirectory(real, ID)), false);
    }));

  it('works for an image without layers', () =>
    withStore(async (store) => {
      const rootfs = await mountRootfs(store, ID, []);
      assert.equal((await stat(rootfs)).mode & 0o777, 0o555);
      sh(rootfs, 'echo x > y');
    }));

  it('gives / the owner of the image, and the mode that it has with podman', () =>
    withStore(async (store) => {
      const layer = await makeLayer(store, 'one');
      await chmod(layer, 0o1751);
      await chown(layer, 12, 34);
      const { mode, uid, gid } = await stat(await mountRootfs(store, ID, [layer]));
      assert.deepEqual([mode & 0o7777, uid, gid], [0o555, 12, 34]);
    }));

  it('can be reached by root only', () =>
    withStore(async (store, base) => {
      await chmod(base, 0o755);
      const umask = process.umask(0);
      try {
        await mountRootfs(store, ID, [await makeLayer(store, 'one')]);
        await mountShm(store, ID, 1 << 20);
      } finally {
        process.umask(umask);
      }
      for (const path of [containerDirectory(store, ID), runDirectory(store, ID)]) {
        assert.equal((await stat(path)).mode & 0o077, 0, path);
      }
      const asNobody = (path: string): boolean => {
        try {
          execFileSync('setpriv', ['--reuid=65534', '--clear-groups', 'ls', path], { stdio: 'ignore' });
          return true;
        } catch {
          return false;
        }
      };
      assert.equal(asNobody(base), true);
      assert.equal(asNobody(mergedDirectory(store, ID)), false);
      assert.equal(asNobody(shmDirectory(store, ID)), false);
    }));

  it('says which layer is missing', () =>
    withStore(async (store) => {
      await assert.rejects(mountRootfs(store, ID, [join(store.root, 'layers/gone/diff')]), (error) => {
        assert.ok(isCryopodError(error, 'MOUNT_FAILED'));
        assert.match(error.message, /layers\/gone\/diff is missing/);
        return true;
      });
    }));

  it('names the file system of a store that cannot be written over', () =>
    withStore(async (outer) => {
      const inside = join(await mountRootfs(outer, ID, [await makeLayer(outer, 'one')]), 'inner');
      const store = { root: inside, runroot: outer.runroot };
      await assert.rejects(mountRootfs(store, ID, [await makeLayer(store, 'one')]), (error) => {
        assert.ok(isCryopodError(error, 'MOUNT_FAILED'));
        assert.match(error.message, /lies on overlayfs/);
        assert.match(error.hint ?? '', /--root/);
        return true;
      });
    }));

  it('still mounts when the store was copied to another place', () =>
    withStore(async (store) => {
      const layer = await makeLayer(store, 'one', 'echo x > a');
      sh(await mountRootfs(store, ID, [layer]), 'echo y > a');
      await unmountRootfs(store, ID);
      sh(store.root, 'cd ..; cp -a root copy');
      await rename(store.root, `${store.root}.old`);
      await rename(join(store.root, '../copy'), store.root);
      assert.equal(sh(await mountRootfs(store, ID, [layer]), 'cat a'), 'y\n');
    }));

  it('still mounts while a process looks into an earlier mount of it', () =>
    withStore(async (store) => {
      const layer = await makeLayer(store, 'one', 'echo x > a');
      const rootfs = await mountRootfs(store, ID, [layer]);
      const child = spawn('sleep', ['60'], { cwd: rootfs });
      try {
        await new Promise((resolve) => child.once('spawn', resolve));
        await unmountRootfs(store, ID);
        assert.equal(isMounted(rootfs), false);
        assert.equal(sh(await mountRootfs(store, ID, [layer]), 'cat a'), 'x\n');
      } finally {
        child.kill('SIGKILL');
        await new Promise((resolve) => child.once('close', resolve));
      }
    }));
});

describe('the files of a container', () => {
  it('go with their mounts, however deep, and never those that are mounted inside', () =>
    withStore(async (store, base) => {
      const rootfs = await mountRootfs(store, ID, [await makeLayer(store, 'one')]);
      const shm = await mountShm(store, ID, 1 << 20);
      await mkdir(join(base, 'host'));
      sh(base, 'echo keep > host/file');
      await mkdir(join(rootfs, 'data'));
      sh(base, `mount --bind host ${join(rootfs, 'data')}`);
      await removeContainerFiles(store, ID);
      await removeContainerFiles(store, ID);
      assert.deepEqual([existsSync(containerDirectory(store, ID)), existsSync(shm)], [false, false]);
      assert.equal(sh(base, 'cat host/file'), 'keep\n');
      assert.deepEqual(
        mountPoints().filter(({ target }) => target.startsWith(base)),
        [],
      );
    }));

  it('lie in the upper directory, which keeps them over a reboot', () =>
    withStore(async (store) => {
      sh(await mountRootfs(store, ID, [await makeLayer(store, 'one')]), 'echo x > file');
      await unmountRootfs(store, ID);
      assert.equal(await readFile(join(upperDirectory(store, ID), 'file'), 'utf8'), 'x\n');
    }));
});

describe('/dev/shm of a container', () => {
  it('is a tmpfs of the asked size with mode 1777 and safe options, mounted idempotently', () =>
    withStore(async (store) => {
      const shm = await mountShm(store, ID, 2 << 20);
      sh(shm, 'echo x > kept');
      assert.equal(await mountShm(store, ID, 4 << 20), shm);
      assert.equal(sh(shm, 'cat kept'), 'x\n');
      assert.equal((await stat(shm)).mode & 0o7777, 0o1777);
      const options = mountPoints().find(({ target }) => target === shm)?.options ?? '';
      for (const option of ['nodev', 'noexec', 'nosuid'])
        assert.ok(options.split(',').includes(option), option);
      assert.throws(() =>
        execFileSync('dd', ['if=/dev/zero', `of=${shm}/big`, 'bs=1M', 'count=3'], { stdio: 'ignore' }),
      );
      await unmountShm(store, ID);
      await unmountShm(store, ID);
      assert.equal(isMounted(shm), false);
    }));
});
