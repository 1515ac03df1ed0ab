import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';

const SCRIPT = join(import.meta.dirname, 'base-image.sh');

function scratch(t: { after(fn: () => void): void }): string {
  const directory = mkdtempSync(join(tmpdir(), 'cryopod-base-image-'));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

test('the same packages give the same bytes', (t) => {
  const directory = scratch(t);
  const [first, second] = [join(directory, 'a.tar'), join(directory, 'b.tar')];
  for (const out of [first, second]) execFileSync('sh', [SCRIPT, 'busybox', out]);
  assert.ok(readFileSync(first).equals(readFileSync(second)));
});

test('a program that is named comes with the libraries it is linked to and runs in the image', (t) => {
  const directory = scratch(t);
  const out = join(directory, 'a.tar');
  execFileSync('sh', [SCRIPT, 'busybox', out, '/usr/bin/zstd']);
  const rootfs = join(directory, 'rootfs');
  mkdirSync(rootfs);
  execFileSync('tar', ['-xpf', out, '-C', rootfs]);
  const said = execFileSync('chroot', [rootfs, '/bin/sh', '-c', 'zstd --version && id -un'], {
    encoding: 'utf8',
  });
  assert.match(said, /Zstandard.*\nroot\n$/s);
});

test('an unknown profile is named and nothing is left', (t) => {
  const out = join(scratch(t), 'a.tar');
  const result = spawnSync('sh', [SCRIPT, 'mysql', out], { encoding: 'utf8' });
  assert.equal(result.status, 1);
  assert.match(result.stderr, /unknown profile 'mysql': choose busybox, redis, postgres or nginx/);
  assert.ok(!existsSync(out) && !existsSync(`${out}.partial`));
});
