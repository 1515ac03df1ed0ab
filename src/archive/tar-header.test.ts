import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { test } from 'node:test';
import { TAR_BLOCK, TAR_END, tarHeader, tarPadding } from './tar-header.ts';

/** Lines of `tar tv`, which shows type, mode, owner, size and name. */
const listing = (archive: Buffer): string =>
  execFileSync('tar', ['--utc', '-tvf', '-'], { input: archive, encoding: 'utf8', env: { LANG: 'C.UTF-8' } });

test('GNU tar lists a file that only root may read', () => {
  const header = tarHeader({ name: 'config.dump', type: 'file', size: 5, modified: 86_400 });
  const archive = Buffer.concat([header, Buffer.from('hello'), tarPadding(5), TAR_END]);
  assert.match(listing(archive), /^-rw------- root\/root\s+5 1970-01-02 00:00 config\.dump\n$/);
});

test('GNU tar lists a directory', () => {
  const header = tarHeader({ name: 'artifacts', type: 'directory', size: 0, modified: 0 });
  assert.match(listing(Buffer.concat([header, TAR_END])), /^drwx------ root\/root\s+0 .* artifacts\/\n$/);
});

for (const size of [8 ** 11 - 1, 8 ** 11, 2 ** 40 + 1]) {
  test(`GNU tar reads the size of a member of ${size} bytes`, () => {
    const header = tarHeader({ name: 'checkpoint/pages-1.img', type: 'file', size, modified: 0 });
    assert.equal(header.length, TAR_BLOCK);
    const listed = execFileSync('sh', ['-c', 'tar -tvf - 2>/dev/null || true'], { input: header }).toString();
    assert.match(listed, new RegExp(`\\s${size}\\s.* checkpoint/pages-1\\.img\\n$`));
  });
}

test('a name keeps every byte where it is longer than a header, at every length', () => {
  for (const length of [99, 100, 101, 102, 110, 255, 980, 1500]) {
    const name = `volumes/${'é'.repeat(2)}${'v'.repeat(length - 12)}`;
    const archive = Buffer.concat([tarHeader({ name, type: 'file', size: 0, modified: 0 }), TAR_END]);
    assert.equal(listing(archive).trimEnd().split(' ').at(-1), name);
  }
});

test('the length of a header does not depend on the size', () => {
  for (const name of ['checkpoint/pages-1.img', `volumes/${'v'.repeat(200)}.tar`]) {
    const [small, large] = [0, 2 ** 45].map((size) => tarHeader({ name, type: 'file', size, modified: 0 }));
    assert.equal(small?.length, large?.length);
  }
});
