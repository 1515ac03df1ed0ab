import assert from 'node:assert/strict';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { runOk } from '../../src/system/process.ts';
import { withSandbox } from '../fixtures/sandbox.ts';
import { assertNothingMade, takenApart } from './taken-apart.ts';

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
