import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { test } from 'node:test';
import { hostPageBytes } from '../../system/page-size.ts';
import { expectedPages } from './expected-pages.ts';

const PAGES = 4096;

/** Maps memory, writes every second page of it, reads the others, and tells where it is. */
const PROGRAM = `
const koffi = require('koffi');
const libc = koffi.load('libc.so.6');
const mmap = libc.func('void *mmap(uintptr_t, size_t, int, int, int, intptr_t)');
const madvise = libc.func('int madvise(void *, size_t, int)');
const [pages, bytes] = process.argv.slice(1).map(Number);
const memory = mmap(0, pages * bytes, 3, 0x22, -1, 0);
const MADV_NOHUGEPAGE = 15;
madvise(memory, pages * bytes, MADV_NOHUGEPAGE);
const view = new Uint8Array(koffi.view(memory, pages * bytes));
let sum = 0;
for (let i = 0; i < pages; i += 1) {
  if (i % 2 === 0) view[i * bytes] = 1;
  else sum += view[i * bytes];
}
console.log(String(koffi.address(memory)), sum);
setInterval(() => undefined, 1000);
`;

test('pages of zeros that a process has only read are not expected in its dump', async (t) => {
  const bytes = hostPageBytes();
  const child = spawn(process.execPath, ['-e', PROGRAM, String(PAGES), String(bytes)], {
    cwd: import.meta.dirname,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  t.after(() => child.kill('SIGKILL'));
  const [line] = await once(child.stdout.setEncoding('utf8'), 'data');
  const first = Number(BigInt(String(line).split(' ')[0] ?? '') / BigInt(bytes));
  const expected = expectedPages(child.pid ?? 0, bytes);
  const found: number[] = [];
  for (let i = 0; i < expected.count; ) {
    const { page, pages } = expected.at(i) ?? assert.fail('it ends early');
    for (let j = 0; j < pages; j += 1) {
      const place = page + j - first;
      if (place >= 0 && place < PAGES) found.push(place);
    }
    i += pages;
  }
  assert.deepEqual(
    found,
    Array.from({ length: PAGES / 2 }, (_, i) => 2 * i),
  );
});
