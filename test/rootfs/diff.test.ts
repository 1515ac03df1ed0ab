import assert from 'node:assert/strict';
import { rename } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { type Change, diffAsJson, diffContainer, diffLayers } from '../../src/rootfs/diff.ts';
import { mountRootfs, unmountRootfs, upperDirectory } from '../../src/rootfs/overlay.ts';
import type { StorePaths } from '../../src/system/store-paths.ts';
import { ID, makeLayer, sh, withStore } from './support.ts';

const BASE = `
  mkdir -p etc bin usr/share/doc var/lib/app opt/old
  echo root > etc/passwd; echo 127.0.0.1 > etc/hosts; echo v1 > etc/conf
  for f in sh ls y; do echo $f > bin/$f; done
  for f in a b c; do echo $f > usr/share/doc/$f; done
  echo 1 > var/lib/app/state; echo 1 > opt/old/one; echo 2 > opt/old/two
  ln -s conf etc/link`;

async function lines(changes: AsyncIterable<Change>): Promise<string[]> {
  const list: string[] = [];
  for await (const { kind, path } of changes) list.push(`${kind} ${path}`);
  return list;
}

/** The diff of a container after `script` ran in its root file system; unmounted first, as after its end. */
async function diffAfter(store: StorePaths, layers: readonly string[], script: string): Promise<string[]> {
  sh(await mountRootfs(store, ID, layers), script);
  const mounted = await lines(diffContainer(store, ID, layers));
  await unmountRootfs(store, ID);
  const unmounted = await lines(diffContainer(store, ID, layers));
  assert.deepEqual(mounted, unmounted);
  return unmounted;
}

const check = (
  script: string,
  expected: readonly string[],
  layers: readonly string[] = [BASE],
): Promise<void> =>
  withStore(async (store) => {
    const paths: string[] = [];
    for (const [index, layer] of layers.entries()) paths.push(await makeLayer(store, `layer${index}`, layer));
    assert.deepEqual(await diffAfter(store, paths, script), expected);
  });

describe('the diff of a container against its image', () => {
  it('is empty for a container that changed nothing', () => check('cat etc/passwd; ls -R > /dev/null', []));

  it('tells added, changed and deleted paths, each directory before what it holds', () =>
    check('echo x > etc/x; rm bin/y; echo v2 > etc/conf; mkdir -p srv/a; echo f > srv/a/f', [
      'C /bin',
      'D /bin/y',
      'C /etc',
      'C /etc/conf',
      'A /etc/x',
      'A /srv',
      'A /srv/a',
      'A /srv/a/f',
    ]));

  it('counts a change of mode, owner or time of a file, and of mode or owner of a directory', () =>
    check('chmod 600 etc/passwd; touch -d 2001-01-01 etc/conf; chown 5 bin; chmod 700 usr/share', [
      'C /bin',
      'C /etc',
      'C /etc/conf',
      'C /etc/passwd',
      'C /usr',
      'C /usr/share',
    ]));

  it('sees a change that leaves size and time as they were', () =>
    check('touch -r etc/conf ref; echo v9 > etc/conf; touch -r ref etc/conf; rm ref', [
      'C /etc',
      'C /etc/conf',
    ]));

  it('does not take a directory for changed because a file in it was removed that never was in the image', () =>
    check('echo x > etc/gone; rm etc/gone', []));

  it('tells a deleted directory once, and one made anew by what is missing in it', () =>
    check('rm -r opt/old usr/share/doc; mkdir usr/share/doc; echo new > usr/share/doc/b', [
      'C /opt',
      'D /opt/old',
      'C /usr',
      'C /usr/share',
      'C /usr/share/doc',
      'D /usr/share/doc/a',
      'C /usr/share/doc/b',
      'D /usr/share/doc/c',
    ]));

  it('tells a directory that became a file and a file that became a directory', () =>
    check('rm -r opt/old; echo f > opt/old; rm bin/y; mkdir bin/y; echo in > bin/y/in', [
      'C /bin',
      'C /bin/y',
      'A /bin/y/in',
      'C /opt',
      'C /opt/old',
      'D /opt/old/one',
      'D /opt/old/two',
    ]));

  it('tells a renamed directory as deleted and added with all it holds', () =>
    check('mv usr/share usr/moved', [
      'C /usr',
      'A /usr/moved',
      'A /usr/moved/doc',
      'A /usr/moved/doc/a',
      'A /usr/moved/doc/b',
      'A /usr/moved/doc/c',
      'D /usr/share',
    ]));

  it('looks through all layers, with their whiteouts and opaque directories', () =>
    withStore(async (store) => {
      const low = await makeLayer(store, 'low', BASE);
      // A real overlay makes the upper layer's whiteout and opaque directory.
      sh(
        await mountRootfs(store, ID, [low]),
        'rm etc/conf; rm -r opt/old; mkdir opt/old; echo 3 > opt/old/three',
      );
      await unmountRootfs(store, ID);
      const high = join(store.root, 'layers/high');
      await rename(upperDirectory(store, ID), high);
      sh(join(high, '..'), `rm -rf ${join(high, '../../containers', ID)}`);
      assert.deepEqual(
        await diffAfter(store, [low, high], 'echo x > etc/conf; echo 1 > opt/old/one; rm opt/old/three'),
        ['C /etc', 'A /etc/conf', 'C /opt', 'C /opt/old', 'A /opt/old/one', 'D /opt/old/three'],
      );
      assert.deepEqual(await lines(diffLayers([low], [low, high])), [
        'C /etc',
        'D /etc/conf',
        'C /opt',
        'C /opt/old',
        'D /opt/old/one',
        'A /opt/old/three',
        'D /opt/old/two',
      ]);
    }));

  it('never follows symbolic links, and tells a changed one', () =>
    check('ln -s / loop; ln -s /etc/shadow s; ln -sfn passwd etc/link', [
      'C /etc',
      'C /etc/link',
      'A /loop',
      'A /s',
    ]));

  it('hides what the engine itself puts there, but not what is beside or below', () =>
    check('mkdir dev proc sys run; : > run/.containerenv; : > etc/hosts; : > etc/resolv.conf; : > run/app', [
      'A /run/app',
    ]));

  it('tells every name of a hard-linked file of the image that was written to through one', () =>
    check(
      'echo new > bin/a; [ "$(cat usr/b)" = new ]; [ "$(cat hidden)" = other ]',
      ['C /bin', 'C /bin/a', 'C /usr/b'],
      ['mkdir bin usr; echo old > bin/a; ln bin/a usr/b; ln bin/a hidden', 'echo other > hidden'],
    ));

  it('keeps names that are no UTF-8', () =>
    withStore(async (store) => {
      const make = `d=$(printf 'a\\377b'); mkdir "$d"; echo x > "$d/$(printf`;
      const layer = await makeLayer(store, 'one', `${make} 'old')"`);
      sh(await mountRootfs(store, ID, [layer]), `rm -r *; ${make} '\\376')"`);
      const raw: string[] = [];
      for await (const change of diffContainer(store, ID, [layer]))
        raw.push(`${change.kind} ${change.raw.toString('latin1')}`);
      assert.deepEqual(raw, ['C /a\xffb', 'D /a\xffb/old', 'A /a\xffb/\xfe']);
    }));

  it('can be had as the JSON that podman prints', () =>
    withStore(async (store) => {
      const layer = await makeLayer(store, 'one', BASE);
      sh(await mountRootfs(store, ID, [layer]), 'rm bin/y; echo x > etc/x');
      assert.deepEqual(await diffAsJson(diffContainer(store, ID, [layer])), {
        changed: ['/bin', '/etc'],
        added: ['/etc/x'],
        deleted: ['/bin/y'],
      });
    }));

  it('goes through 20,000 files', () =>
    withStore(async (store) => {
      const layer = await makeLayer(store, 'one', BASE);
      const script = 'mkdir many; cd many; for d in $(seq 20); do mkdir $d; (cd $d; touch $(seq 1000)); done';
      sh(await mountRootfs(store, ID, [layer]), script);
      let count = 0;
      for await (const _ of diffContainer(store, ID, [layer])) count += 1;
      assert.equal(count, 20_021);
    }));
});

describe('the diff of two images', () => {
  it('goes both ways, skips shared layers and takes equal attributes for equal files', () =>
    withStore(async (store) => {
      const shared = await makeLayer(store, 'shared', BASE);
      const left = await makeLayer(
        store,
        'left',
        'mkdir etc; echo l > etc/l; echo same > etc/same; ln -s a etc/ln',
      );
      const right = await makeLayer(
        store,
        'right',
        'mkdir etc; cp -a ../../left/diff/etc/same etc/same; echo r > etc/r; ln -s b etc/ln',
      );
      assert.deepEqual(await lines(diffLayers([shared, left], [shared, right])), [
        'C /etc',
        'D /etc/l',
        'C /etc/ln',
        'A /etc/r',
      ]);
      assert.deepEqual(await lines(diffLayers([shared, left], [shared, left])), []);
      assert.deepEqual(await lines(diffLayers([], [left])), [
        'A /etc',
        'A /etc/l',
        'A /etc/ln',
        'A /etc/same',
      ]);
    }));
});
