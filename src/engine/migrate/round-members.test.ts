import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ROUND_END, ROUND_SUMS, roundMember } from './round-members.ts';

const file = (name: string) => roundMember({ kind: 'file', name });

describe('members of a round', () => {
  it('are files of trees, what is removed from them, images of memory, sums, and an end', () => {
    assert.deepEqual(file('rootfs-diff.tar'), { kind: 'files', tree: 'rootfs-diff.tar' });
    assert.deepEqual(file('volumes/a.b_c-d.tar'), { kind: 'files', tree: 'volumes/a.b_c-d.tar' });
    assert.deepEqual(file('volumes/v.tar.removed'), { kind: 'removed', tree: 'volumes/v.tar' });
    assert.deepEqual(file('pre-checkpoint/pages-1.img'), { kind: 'memory', name: 'pages-1.img' });
    assert.deepEqual(file(ROUND_SUMS), { kind: 'sums' });
    assert.deepEqual(roundMember({ kind: 'directory', name: ROUND_END }), { kind: 'end' });
  });

  it('have no names that lead elsewhere, and no kinds that do', () => {
    for (const name of [
      'volumes/../x.tar',
      'volumes/a/b.tar',
      'volumes/.tar',
      '/rootfs-diff.tar',
      'rootfs-diff.tar.removed.removed',
      'pre-checkpoint/../inventory.img',
      'pre-checkpoint/.own-1',
      'pre-checkpoint/parent/x',
      'pre-checkpoint-2/pages-1.img',
      'checkpoint/pages-1.img',
      ROUND_END,
      '',
    ]) {
      assert.equal(file(name), undefined, name);
    }
    for (const kind of ['directory', 'link'] as const) {
      assert.equal(roundMember({ kind, name: 'pre-checkpoint/parent' }), undefined);
      assert.equal(roundMember({ kind, name: 'rootfs-diff.tar' }), undefined);
    }
  });
});
