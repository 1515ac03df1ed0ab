import assert from 'node:assert/strict';
import { mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { waitFor } from '../../src/system/clock.ts';
import { LIMIT_MS } from '../fixtures/limit.ts';
import { type Sandbox, withSandbox } from '../fixtures/sandbox.ts';
import { type Engine, openPodmanPeer } from './podman-peer.ts';

const IMAGE = 'localhost/busybox:latest';

/** Keeps files open whose names are gone while they live on under others: in the root file system and in a volume. */
const KEEP = `
  mkdir -p /d
  for where in /d /data; do echo "kept in $where" >$where/a; ln $where/a $where/b; done
  exec 3<>/d/a 4<>/data/a
  rm /d/a /data/a
  touch /ready
  while [ ! -e /go ]; do sleep 0.1; done
  cat <&3 >/out; cat <&4 >>/out
  echo through 3 >&3; echo through 4 >&4
  touch /done
  sleep 1000`;

const RUN = ['run', '-d', '--name', 'c', '--ulimit', 'nproc=1024:1024', '--ulimit', 'nofile=1024:1024'];

const inside = (engine: Engine, script: string): Promise<string> =>
  engine.ok(['exec', 'c', 'sh', '-c', script]);

async function untilThere(engine: Engine, path: string): Promise<void> {
  const there = await waitFor(
    async () => (await inside(engine, `ls ${path} 2>/dev/null || true`)) !== '',
    LIMIT_MS,
  );
  assert.ok(there, `${path} is there`);
}

async function start(engine: Engine, ...options: string[]): Promise<void> {
  await engine.ok([...RUN, ...options, IMAGE, 'sh', '-c', KEEP]);
  await untilThere(engine, '/ready');
}

const remaps = (engine: Engine): Promise<string> =>
  inside(engine, 'ls -a /d /data | grep link_remap || true');

/** Its descriptors read what they had, and are still the files that go by the other names. */
async function assertGoesOn(engine: Engine): Promise<void> {
  assert.equal(await remaps(engine), '', "CRIU's names are gone");
  await inside(engine, 'touch /go');
  await untilThere(engine, '/done');
  assert.equal(await inside(engine, 'cat /out'), 'kept in /d\nkept in /data');
  assert.equal(await inside(engine, 'cat /d/b /data/b'), 'kept in /d\nthrough 3\nkept in /data\nthrough 4');
  assert.equal(await inside(engine, 'ls /d; ls /data'), 'b\nb');
}

async function discard(engine: Engine): Promise<void> {
  await engine.ok(['rm', '--force', '--time', '0', '--volumes', 'c']);
  await engine.ok(['volume', 'rm', '--all', '--force']);
}

const archiveIn = (box: Sandbox): string => join(box.directory, 'c.tar.zst');

test('an exported container goes on with its open files whose names are deleted, here and from where it was', async () => {
  await withSandbox(async (box) => {
    await start(box, '-v', 'data:/data');
    await box.ok(['container', 'checkpoint', '--export', archiveIn(box), 'c']);
    await box.ok(['container', 'restore', 'c']);
    assert.equal(await remaps(box), '');
    await box.ok(['container', 'checkpoint', '--export', archiveIn(box), 'c']);
    await discard(box);
    await box.ok(['container', 'restore', '--import', archiveIn(box)]);
    await assertGoesOn(box);
  });
});

test('a container that is started anew instead of restored has no names of CRIU among its files', async () => {
  await withSandbox(async (box) => {
    await start(box, '-v', 'data:/data');
    for (const more of [[], ['--export', archiveIn(box)]]) {
      await box.ok(['container', 'checkpoint', ...more, 'c']);
      await box.ok(['start', 'c']);
      assert.equal(await remaps(box), '');
      await untilThere(box, '/ready');
    }
    // Without those names it could not have been restored.
    await box.ok(['stop', '--time', '0', 'c']);
    const { stderr } = await box.cryopod(['container', 'restore', 'c']);
    assert.match(stderr, /a complete checkpoint for this container cannot be found/);
  });
});

test('an export that leaves the container running carries such files and leaves no names of CRIU behind', async () => {
  await withSandbox(async (box) => {
    await start(box, '-v', 'data:/data');
    await box.ok(['container', 'checkpoint', '--leave-running', '--export', archiveIn(box), 'c']);
    await assertGoesOn(box);
    await discard(box);
    await box.ok(['container', 'restore', '--import', archiveIn(box)]);
    await assertGoesOn(box);
  });
});

test('an export that leaves the container running is refused where such a file lies in a bind mount', async () => {
  await withSandbox(async (box) => {
    const shared = join(box.directory, 'shared');
    await mkdir(shared);
    await start(box, '-v', `${shared}:/data`);
    const args = ['container', 'checkpoint', '--export', archiveIn(box)];
    const refused = await box.cryopod([...args, '--leave-running', 'c']);
    assert.notEqual(refused.code, 0);
    assert.match(refused.stderr, /in \/data is deleted .* bind mount .* c goes on running/);
    assert.deepEqual(await readdir(shared), ['b']);
    await box.ok([...args, 'c']);
    await box.ok(['rm', 'c']);
    await box.ok(['container', 'restore', '--trust', '--import', archiveIn(box)]);
    await assertGoesOn(box);
    assert.deepEqual(await readdir(shared), ['b']);
  });
});

// runc 1.1 has no --link-remap, so that podman itself cannot export such a container.
test('podman goes on with such files from an archive of cryopod', async (t) => {
  await withSandbox(async (box) => {
    const podman = await openPodmanPeer(join(box.directory, 'podman'));
    if (podman === undefined) return t.skip('podman is not installed');
    try {
      const image = join(box.directory, 'image.tar');
      await box.ok(['save', '--quiet', '--output', image, IMAGE]);
      await podman.ok(['load', '--quiet', '--input', image]);
      await start(box, '-v', 'data:/data');
      await box.ok(['container', 'checkpoint', '--export', archiveIn(box), 'c']);
      await discard(box);
      await podman.ok(['container', 'restore', '--import', archiveIn(box)]);
      await assertGoesOn(podman);
    } finally {
      await podman.close();
    }
  });
});
