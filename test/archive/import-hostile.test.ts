import assert from 'node:assert/strict';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { runOk } from '../../src/system/process.ts';
import { imageName } from '../fixtures/images.ts';
import { type Sandbox, withSandbox } from '../fixtures/sandbox.ts';

/** What the tests change of config.dump and spec.dump. */
interface Dump {
  readonly cryopod: {
    readonly config: {
      mounts: unknown[];
      devices: unknown[];
      annotations: Record<string, string>;
      readonly security: { privileged: boolean; capAdd: string[] };
    };
  };
}

interface Unpacked {
  readonly directory: string;
  readonly pack: () => Promise<string>;
  readonly edit: (change: (config: Dump['cryopod']['config']) => void) => Promise<void>;
}

/** Exports a container with a changed file and a volume, removes all of it, and takes the archive apart. */
async function takenApart(box: Sandbox): Promise<Unpacked> {
  const archive = join(box.directory, 'c.tar');
  const directory = join(box.directory, 'apart');
  const options = ['--network', 'none', '-v', 'data:/data'];
  await box.ok(['run', '-d', '--name', 'c', ...options, imageName('busybox'), 'sleep', '1000']);
  await box.ok(['exec', 'c', 'sh', '-c', 'echo new >/new; echo kept >/data/file']);
  await box.ok(['container', 'checkpoint', '-c', 'none', '-e', archive, 'c']);
  await box.ok(['rm', '-v', 'c']);
  await box.ok(['volume', 'rm', '--all']);
  await mkdir(directory);
  await runOk(['tar', '-xf', archive, '-C', directory], 'take the archive apart');
  await rm(join(directory, 'cryopod.sums'));
  const path = join(directory, 'config.dump');
  return {
    directory,
    pack: async () => {
      await runOk(['tar', '-cf', archive, '-C', directory, '.'], 'pack the archive');
      return archive;
    },
    edit: async (change) => {
      const dump = JSON.parse(await readFile(path, 'utf8')) as Dump;
      change(dump.cryopod.config);
      await writeFile(path, JSON.stringify(dump));
    },
  };
}

async function assertNothingMade(box: Sandbox): Promise<void> {
  assert.equal(await box.ok(['ps', '-aq']), '');
  assert.equal(await box.ok(['volume', 'ls', '-q']), '');
}

test('What an archive asks for of the host is refused, each thing by its name, and nothing is created', async () => {
  await withSandbox(async (box) => {
    const { edit, pack } = await takenApart(box);
    await edit((config) => {
      config.mounts.push({ type: 'bind', source: '/etc', destination: '/host', options: [] });
      config.devices.push({ hostPath: '/dev/null', containerPath: '/dev/disk', permissions: 'rwm' });
      config.security.capAdd.push('CAP_SYS_ADMIN');
      config.annotations['org.criu.config'] = '/tmp/evil.conf';
    });
    const archive = await pack();
    const { code, stdout } = await box.cryopod(['container', 'restore', '-i', archive, '--dry-run']);
    assert.notEqual(code, 0);
    for (const what of [/mounts \/etc of the host at \/host/, /device \/dev\/null/, /CAP_SYS_ADMIN/]) {
      assert.match(stdout, what);
    }
    assert.match(stdout, /annotation org\.criu\.config/);
    const refused = await box.cryopod(['container', 'restore', '-i', archive]);
    assert.equal(refused.code, 125);
    assert.match(refused.stderr, /mounts \/etc of the host at \/host, writable\nHint: .*--trust/);
    await assertNothingMade(box);
    await edit((config) => {
      config.security.privileged = true;
    });
    const privileged = await box.cryopod(['container', 'restore', '-i', await pack()]);
    assert.match(privileged.stderr, /is privileged/);
    await assertNothingMade(box);
  });
});

test('With --trust the frozen container goes on, without the annotation that steers CRIU', async () => {
  await withSandbox(async (box) => {
    const { edit, pack } = await takenApart(box);
    await edit((config) => {
      config.security.capAdd.push('CAP_SYS_ADMIN');
      config.annotations['org.criu.config'] = '/tmp/evil.conf';
    });
    const archive = await pack();
    assert.equal((await box.cryopod(['container', 'restore', '-i', archive])).code, 125);
    const { code, stderr } = await box.cryopod(['container', 'restore', '--trust', '-i', archive]);
    assert.equal(code, 0, stderr);
    assert.match(stderr, /left out: the annotation org\.criu\.config/);
    assert.doesNotMatch(await box.ok(['inspect', 'c']), /org\.criu\.config/);
    assert.equal(await box.ok(['exec', 'c', 'cat', '/new', '/data/file']), 'new\nkept');
  });
});

for (const member of ['rootfs-diff.tar', 'volumes/data.tar']) {
  test(`Nothing outside of the container is written by ${member} with .., an absolute name or a link`, async () => {
    await withSandbox(async (box) => {
      const { directory, pack } = await takenApart(box);
      const outside = join(box.directory, 'outside');
      const evil = join(box.directory, 'evil');
      await mkdir(outside);
      await writeFile(join(outside, 'canary'), 'untouched');
      await mkdir(evil);
      await writeFile(join(evil, 'canary'), 'overwritten');
      const line = 'ln -s "$2" link; tar -cf "$1" link; rm link; mkdir link; cp canary link/canary';
      const link = `${line}; tar -rf "$1" link/canary`;
      const absolute = 'tar -cPf "$1" --transform "s,^canary,$2/canary," canary';
      const upwards = 'tar -cPf "$1" --transform "s,^canary,../../../../../../../../../..$2/canary," canary';
      for (const script of [link, absolute, upwards]) {
        const target = join(directory, member);
        await runOk(['sh', '-ec', `cd "$3"; ${script}`, 'sh', target, outside, evil], 'make the member');
        const { code, stderr } = await box.cryopod(['container', 'restore', '-i', await pack()]);
        assert.equal(await readFile(join(outside, 'canary'), 'utf8'), 'untouched', script);
        if (code !== 0) {
          assert.match(stderr, /^Error: /);
          await assertNothingMade(box);
        }
        await box.ok(['rm', '-a', '-f', '-t', '0']);
        await box.ok(['volume', 'rm', '--all']);
      }
    });
  });
}
