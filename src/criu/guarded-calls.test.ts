import assert from 'node:assert/strict';
import { test } from 'node:test';
import { refusesAlways } from './classic-bpf.ts';
import { guardedCalls, openCalls } from './guarded-calls.ts';

type Line = readonly [code: number, jt: number, jf: number, k: number];

/** struct sock_filter (linux/filter.h). */
const program = (...lines: readonly Line[]): Buffer =>
  Buffer.concat(
    lines.map(([code, jt, jf, k]) => {
      const bytes = Buffer.alloc(8);
      bytes.writeUInt16LE(code);
      bytes.writeUInt8(jt, 2);
      bytes.writeUInt8(jf, 3);
      bytes.writeUInt32LE(k, 4);
      return bytes;
    }),
  );

const loadNumber: Line = [0x20, 0, 0, 0];
const loadArch: Line = [0x20, 0, 0, 4];
const loadArgument: Line = [0x20, 0, 0, 16];
const equals = (k: number, jt: number, jf: number): Line => [0x15, jt, jf, k];
const answer = (k: number): Line => [0x06, 0, 0, k];
const allow = answer(0x7fff0000);
const refuse = answer(0x00050001);

const X86_64 = 0xc000003e;
const I386 = 0x40000003;
const KEXEC_LOAD = 246;
const call = { number: KEXEC_LOAD, arch: X86_64 };

test('a filter refuses a call only where each path ends in a refusal', () => {
  const rows: readonly (readonly [string, boolean, readonly Line[]])[] = [
    ['all', true, [refuse]],
    ['killed', true, [answer(0x80000000)]],
    ['logged only', false, [answer(0x7ffc0000)]],
    ['left to a tracer', false, [answer(0x7ff00000)]],
    ['left to a listener', false, [answer(0x7fc00000)]],
    ['this one', true, [loadNumber, equals(KEXEC_LOAD, 0, 1), refuse, allow]],
    ['another one', false, [loadNumber, equals(1, 0, 1), refuse, allow]],
    ['with one argument alone', false, [loadArgument, equals(7, 0, 1), allow, refuse]],
    ['with any argument', true, [loadArgument, equals(7, 0, 1), refuse, answer(0x00050026)]],
    [
      'by way of memory',
      true,
      [
        loadNumber,
        [0x02, 0, 0, 3],
        [0x00, 0, 0, 0],
        [0x60, 0, 0, 3],
        equals(KEXEC_LOAD, 0, 1),
        refuse,
        allow,
      ],
    ],
    ['by arithmetic', true, [loadNumber, [0x14, 0, 0, 200], equals(46, 0, 1), refuse, allow]],
    ['by X', true, [[0x01, 0, 0, KEXEC_LOAD], loadNumber, [0x1d, 0, 1, 0], refuse, allow]],
    ['with an answer that is computed', false, [loadArgument, [0x16, 0, 0, 0]]],
    ['without an end', false, [loadNumber]],
    ['with a load that the kernel refuses', false, [[0x20, 0, 0, 2], refuse]],
  ];
  for (const [what, refuses, lines] of rows)
    assert.equal(refusesAlways(program(...lines), call), refuses, what);
  assert.equal(refusesAlways(Buffer.alloc(0), call), false);
});

test('a program that multiplies what is to be followed is not followed to its end', () => {
  // Each round doubles the values that X can have.
  const lines = Array.from({ length: 20 }, (_, bit): Line[] => [
    loadArgument,
    [0x45, 0, 3, 1],
    [0x87, 0, 0, 0],
    [0x04, 0, 0, 2 ** bit],
    [0x07, 0, 0, 0],
  ]).flat();
  assert.equal(refusesAlways(program(...lines, refuse), call), false);
});

test("a call is open where the filter refuses it in the machine's own numbers alone", () => {
  const native = program(loadArch, equals(X86_64, 0, 3), loadNumber, equals(KEXEC_LOAD, 0, 1), refuse, allow);
  assert.deepEqual(openCalls([native], 'x86_64', ['kexec_load']), ['kexec_load']);
  const others = program(
    loadArch,
    equals(X86_64, 1, 0),
    refuse,
    loadNumber,
    [0x35, 0, 1, 0x40000000],
    refuse,
    allow,
  );
  assert.deepEqual(openCalls([native, others], 'x86_64', ['kexec_load', 'bpf']), ['bpf']);
  const compat = program(loadArch, equals(I386, 0, 1), allow, refuse);
  assert.deepEqual(openCalls([compat], 'x86_64', ['stime']), ['stime'], 'i386 alone has it');
  assert.deepEqual(openCalls([program(refuse)], undefined, ['bpf']), ['bpf'], 'a machine that is not known');
});

test('calls are guarded but for the capability that opens them', () => {
  const all = guardedCalls([]);
  for (const name of ['bpf', 'kexec_load', 'init_module', 'open_by_handle_at'])
    assert.ok(all.includes(name), name);
  const rest = guardedCalls(['CAP_SYS_ADMIN', 'CAP_SYS_MODULE']);
  assert.ok(!rest.includes('bpf') && !rest.includes('init_module') && rest.includes('kexec_load'));
});
