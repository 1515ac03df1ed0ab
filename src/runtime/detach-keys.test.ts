import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseDetachKeys, watchKeys } from './detach-keys.ts';

const CTRL_P = 0x10;
const CTRL_Q = 0x11;

test('Key sequences are read as podman writes them', () => {
  assert.deepEqual(parseDetachKeys('ctrl-p,ctrl-q'), [CTRL_P, CTRL_Q]);
  assert.deepEqual(parseDetachKeys('a,ctrl-['), [0x61, 0x1b]);
  assert.deepEqual(parseDetachKeys(''), []);
  assert.throws(() => parseDetachKeys('ctrl-p,escape'), /Unknown character: 'escape'/);
});

test('The sequence is found across pieces of input and is not passed on', () => {
  const watch = watchKeys([CTRL_P, CTRL_Q]);
  assert.deepEqual(watch.feed(Buffer.from([0x61, CTRL_P])), { pass: Buffer.from('a'), detach: false });
  assert.deepEqual(watch.feed(Buffer.from([CTRL_Q, 0x62])), { pass: Buffer.alloc(0), detach: true });
});

test('A sequence that was only begun is passed on with what follows', () => {
  const watch = watchKeys([CTRL_P, CTRL_Q]);
  watch.feed(Buffer.from([CTRL_P]));
  assert.deepEqual(watch.feed(Buffer.from('x')).pass, Buffer.from([CTRL_P, 0x78]));
  const doubled = watchKeys([CTRL_P, CTRL_Q]);
  assert.deepEqual(doubled.feed(Buffer.from([CTRL_P, CTRL_P, CTRL_Q])), {
    pass: Buffer.from([CTRL_P]),
    detach: true,
  });
});

test('Without keys everything is passed on', () => {
  const bytes = Buffer.from([CTRL_P, CTRL_Q]);
  assert.deepEqual(watchKeys([]).feed(bytes), { pass: bytes, detach: false });
});
