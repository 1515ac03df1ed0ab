import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hostCpu, parseCpuInfo } from './cpu.ts';

test('model and flags of an x86 processor are read', () => {
  const text = 'processor\t: 0\nmodel name\t: Some CPU @ 2 GHz\nflags\t\t: fpu sse2 avx2\nbugs\t\t: x\n\n';
  assert.deepEqual(parseCpuInfo(text.repeat(2)), {
    model: 'Some CPU @ 2 GHz',
    flags: ['fpu', 'sse2', 'avx2'],
  });
});

test('of processors that differ only what all have counts', () => {
  const text = 'Features\t: fp sve aes\nCPU part\t: 0xd0c\n\nFeatures\t: fp aes\nCPU part\t: 0xd05\n';
  assert.deepEqual(parseCpuInfo(text), { model: '0xd0c', flags: ['fp', 'aes'] });
});

test('this host has a processor with flags', () => {
  assert.ok(hostCpu().flags.length > 0);
});
