import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { chmod, mkdir, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { IMAGE_MAGIC, parseImageEntries } from '../../src/criu/images.ts';
import { imageOf, message } from '../../src/criu/view/testing.ts';
import { runOk } from '../../src/system/process.ts';
import { imageName } from '../fixtures/images.ts';
import { type Sandbox, withSandbox } from '../fixtures/sandbox.ts';
import { editCore, type Field, fieldsOf } from './image-edits.ts';
import { assertNothingMade, takenApart } from './taken-apart.ts';

const restore = (box: Sandbox, archive: string, ...options: string[]) =>
  box.cryopod(['container', 'restore', ...options, '-i', archive]);

test('Hooks in spec.dump are run neither at an import nor at a later start', async () => {
  await withSandbox(async (box) => {
    const { directory, pack, asPodman } = await takenApart(box);
    const canary = join(box.directory, 'canary');
    const script = join(box.directory, 'hook.sh');
    await writeFile(script, `#!/bin/sh\ntouch ${canary}\n`);
    await chmod(script, 0o755);
    const path = join(directory, 'spec.dump');
    const spec = JSON.parse(await readFile(path, 'utf8')) as Record<string, unknown>;
    const stages = [
      'prestart',
      'createRuntime',
      'createContainer',
      'startContainer',
      'poststart',
      'poststop',
    ];
    spec.hooks = Object.fromEntries(stages.map((stage) => [stage, [{ path: script, args: [script] }]]));
    await writeFile(path, JSON.stringify(spec));
    for (const isPodmans of [false, true]) {
      if (isPodmans) await asPodman();
      const { code, stderr } = await restore(box, await pack(), '--trust');
      assert.equal(code, 0, stderr);
      if (isPodmans) assert.match(stderr, /left out: hooks of the OCI runtime/);
      assert.equal(await box.ok(['exec', 'c', 'cat', '/new', '/data/file']), 'new\nkept');
      await box.ok(['restart', '-t', '0', 'c']);
      await box.ok(['rm', '-f', '-t', '0', 'c']);
      await box.ok(['volume', 'rm', '--all']);
      assert.equal(existsSync(canary), false);
    }
  });
});

test('A bind mount of an archive is refused, and with --trust it is really made', async () => {
  await withSandbox(async (box) => {
    const [before, now] = [join(box.directory, 'before'), join(box.directory, 'now')];
    for (const path of [before, now]) await mkdir(path);
    const { edit, pack } = await takenApart(box, { run: ['-v', `${before}:/host`] });
    await writeFile(join(now, 'file'), "the host's");
    await edit(({ mounts }) => {
      for (const mount of mounts) if (mount.type === 'bind') mount.source = now;
    });
    const archive = await pack();
    const refused = await restore(box, archive);
    assert.equal(refused.code, 125);
    assert.ok(refused.stderr.includes(`mounts ${now} of the host at /host, writable`), refused.stderr);
    await assertNothingMade(box);
    const { code, stderr } = await restore(box, archive, '--trust');
    assert.equal(code, 0, stderr);
    assert.equal(await box.ok(['exec', 'c', 'cat', '/host/file']), "the host's");
    await box.ok(['exec', 'c', 'sh', '-c', 'echo back >/host/back']);
    assert.equal(await readFile(join(now, 'back'), 'utf8'), 'back\n');
    assert.deepEqual(await readdir(before), []);
  });
});

const images = async (box: Sandbox): Promise<string[]> =>
  (await box.ok(['images', '-a', '--no-trunc', '--format', '{{.Repository}}:{{.Tag}} {{.ID}}']))
    .split('\n')
    .filter((line) => line !== '')
    .toSorted();

/** Removes the archive's image from the store and gives another one its name. */
async function takeName(box: Sandbox): Promise<void> {
  const other = join(box.directory, 'other');
  await mkdir(other);
  await writeFile(join(other, 'only'), 'this');
  await runOk(['tar', '-cf', `${other}.tar`, '-C', other, '.'], 'make another image');
  await box.ok(['rmi', imageName('busybox')]);
  await box.ok(['import', '--quiet', `${other}.tar`, imageName('busybox')]);
}

test('An image in an archive that is another one than config.dump names is refused and not kept', async () => {
  await withSandbox(async (box) => {
    const { directory, pack } = await takenApart(box, { checkpoint: ['--with-image'] });
    await takeName(box);
    const before = await images(box);
    const member = join(directory, 'cryopod-image.tar');
    await rm(member);
    await box.ok(['save', '--quiet', '--format', 'oci-archive', '-o', member, imageName('busybox')]);
    const { code, stderr } = await restore(box, await pack());
    assert.equal(code, 125);
    assert.match(stderr, /cryopod-image\.tar does not hold the image [0-9a-f]{64}/);
    await assertNothingMade(box);
    assert.deepEqual(await images(box), before);
  });
});

test('An image in an archive takes no name of a local one, whatever it says of its own', async () => {
  await withSandbox(async (box) => {
    const archives = join(box.directory, 'archives');
    await mkdir(archives);
    for (const format of ['oci-archive', 'docker-archive']) {
      const path = join(archives, `${format}.tar`);
      await box.ok(['save', '--quiet', '--format', format, '-o', path, imageName('busybox')]);
    }
    const { directory, pack } = await takenApart(box, { checkpoint: ['--with-image'] });
    await takeName(box);
    const [local] = await images(box);
    for (const name of await readdir(archives)) {
      await runOk(['cp', join(archives, name), join(directory, 'cryopod-image.tar')], 'replace the image');
      const { code, stderr } = await restore(box, await pack());
      assert.equal(code, 0, stderr);
      assert.equal(await box.ok(['exec', 'c', 'cat', '/new']), 'new');
      const named = (await images(box)).filter((line) => !line.startsWith('<none>'));
      assert.deepEqual(named, [local], name);
      const id = await box.ok(['inspect', '--format', '{{.Image}}', 'c']);
      await box.ok(['rm', '-f', '-t', '0', '-v', 'c']);
      await box.ok(['volume', 'rm', '--all']);
      await box.ok(['rmi', id]);
    }
  });
});

test('An image of CRIU that is a link to a file of the host is refused, and nothing is created', async () => {
  await withSandbox(async (box) => {
    const { directory, pack } = await takenApart(box);
    const secret = join(box.directory, 'secret');
    await writeFile(secret, 'untouched');
    for (const name of ['core-1.img', 'pages-1.img', 'inventory.img']) {
      const path = join(directory, 'checkpoint', name);
      const content = await readFile(path);
      await rm(path);
      await symlink(secret, path);
      const { code, stderr } = await restore(box, await pack(), '--trust');
      assert.equal(code, 125);
      assert.ok(stderr.includes(`"checkpoint/${name}" is a symbolic link to`), stderr);
      await rm(path);
      await writeFile(path, content);
    }
    assert.equal(await readFile(secret, 'utf8'), 'untouched');
    await assertNothingMade(box);
  });
});

/** core.proto thread_core and its creds; of those the sets prm, eff and bnd, the seccomp mode and no_new_privs. */
const THREAD = 5;
const CREDS = [THREAD, 10];
const SETS = [10, 11, 12];
const SECCOMP_MODE = [11, 12];
const SYS_ADMIN = 1n << 21n;

/** With the lower word of each set, which comes first, widened. */
function widened(fields: Field[]): Field[] {
  const seen = new Set<number>();
  return fields.map(([id, value]): Field => {
    if (!SETS.includes(id) || seen.has(id)) return [id, value];
    seen.add(id);
    return [id, (value as bigint) | SYS_ADMIN];
  });
}

test('Images whose processes have more capabilities than config.dump gives are refused without --trust', async () => {
  await withSandbox(async (box) => {
    const apart = await takenApart(box);
    await editCore(apart, CREDS, widened);
    const archive = await apart.pack();
    const refused = await restore(box, archive);
    assert.equal(refused.code, 125);
    assert.match(
      refused.stderr,
      /more capabilities than its configuration gives: CAP_SYS_ADMIN\nHint: .*--trust/,
    );
    await assertNothingMade(box);
    const { code, stderr } = await restore(box, archive, '--trust');
    assert.equal(code, 0, stderr);
    const effective = await box.ok(['exec', 'c', 'sh', '-c', "sed -n 's/^CapEff:.//p' /proc/1/status"]);
    assert.notEqual(BigInt(`0x${effective}`) & SYS_ADMIN, 0n, 'CRIU gives what the images say');
  });
});

test('A restore in place from an exported archive whose images have become wider is refused', async () => {
  await withSandbox(async (box) => {
    const apart = await takenApart(box);
    const original = await apart.pack();
    await box.ok(['container', 'restore', '-i', original]);
    await box.ok(['container', 'checkpoint', '-c', 'none', '-e', original, 'c']);
    await editCore(apart, CREDS, widened);
    await apart.pack();
    const { code, stderr } = await box.cryopod(['container', 'restore', 'c']);
    assert.equal(code, 125);
    assert.match(stderr, /to which c was exported, has changed: .*CAP_SYS_ADMIN/);
    assert.equal(await box.ok(['inspect', '--format', '{{.State.Status}}', 'c']), 'exited');
  });
});

test('Images whose processes lack the seccomp filter, or may gain privileges against config.dump, are refused', async () => {
  await withSandbox(async (box) => {
    const apart = await takenApart(box);
    await apart.edit(({ security }) => {
      security.noNewPrivileges = true;
    });
    const gains = await restore(box, await apart.pack());
    assert.match(gains.stderr, /may gain privileges, which its configuration forbids/);
    await editCore(apart, [THREAD], (fields) => fields.filter(([id]) => !SECCOMP_MODE.includes(id)));
    const { stdout } = await restore(box, await apart.pack(), '--dry-run');
    assert.match(stdout, /OBSTACLE\s+security .* without the seccomp filter that its configuration gives/);
    await assertNothingMade(box);
  });
});

/** mnt.proto: an overlay over the host's /etc, on the root with the number `parent`. */
const overlay = (parent: bigint): Buffer =>
  message([
    [1, 17],
    [2, 9999],
    [3, 77],
    [4, parent],
    [5, 0],
    [6, '/'],
    [7, './mnt'],
    [8, 'overlay'],
    [9, 'lowerdir=/etc:/usr'],
  ]);

test('Images that would mount a file system of the host by themselves are refused without --trust', async () => {
  await withSandbox(async (box) => {
    const { directory, pack } = await takenApart(box);
    const checkpoint = join(directory, 'checkpoint');
    const name = (await readdir(checkpoint)).find((each) => each.startsWith('mountpoints-')) ?? '';
    const file = join(checkpoint, name);
    const { entries } = parseImageEntries(await readFile(file), file);
    const [root] = entries.map(fieldsOf).filter((fields) => {
      const point = fields.find(([id]) => id === 7)?.[1];
      return point instanceof Uint8Array && ['/', './'].includes(Buffer.from(point).toString());
    });
    const parent = root?.find(([id]) => id === 2)?.[1];
    assert.ok(typeof parent === 'bigint');
    await writeFile(
      file,
      imageOf(IMAGE_MAGIC.mounts, ...entries.map((one) => Buffer.from(one)), overlay(parent)),
    );
    const { code, stderr } = await restore(box, await pack());
    assert.equal(code, 125);
    assert.match(stderr, /has a file system of its own at \/mnt: overlay of overlay\nHint: .*--trust/);
    await assertNothingMade(box);
  });
});
