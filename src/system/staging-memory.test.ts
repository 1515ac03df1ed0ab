import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { type MemoryFacts, memoryForStaging, readMemoryFacts } from './staging-memory.ts';

const MIB = 1 << 20;
const GIB = 1 << 30;
const ROOMY: MemoryFacts = { total: 16 * GIB, available: 10 * GIB, cgroups: [] };

test('a tenth of the memory of the host stays free, and 256 MiB on a small one', () => {
  assert.equal(memoryForStaging(ROOMY), Math.floor(10 * GIB - 1.6 * GIB));
  assert.equal(memoryForStaging({ total: GIB, available: 600 * MIB, cgroups: [] }), 344 * MIB);
});

test('a host that is short of memory has none to spare', () => {
  assert.equal(memoryForStaging({ ...ROOMY, available: GIB }), 0);
  assert.equal(memoryForStaging({ total: 0, available: 0, cgroups: [] }), 0);
});

test('the tightest cgroup counts; its cold file pages are as good as free', () => {
  const cgroups = [
    { limit: Number.POSITIVE_INFINITY, used: 5 * GIB, inactiveFile: 0 },
    { limit: 4 * GIB, used: GIB, inactiveFile: 0 },
    { limit: GIB, used: 500 * MIB, inactiveFile: 100 * MIB },
  ];
  assert.equal(memoryForStaging({ ...ROOMY, cgroups }), Math.floor(GIB - 400 * MIB - GIB / 10));
  assert.equal(memoryForStaging({ ...ROOMY, cgroups: [{ limit: GIB, used: GIB, inactiveFile: 0 }] }), 0);
});

test('a limit above what the host has is none: cgroup v1 writes a large number for "no limit"', () => {
  const cgroups = [{ limit: Number('9223372036854771712'), used: 8 * GIB, inactiveFile: 0 }];
  assert.equal(memoryForStaging({ ...ROOMY, cgroups }), memoryForStaging(ROOMY));
});

const MEMINFO = `MemTotal:       16777216 kB\nMemFree:         1000000 kB\nMemAvailable:   10485760 kB\nSwapFree:  9 kB\n`;

async function facts(membership: string, files: Readonly<Record<string, string>>): Promise<MemoryFacts> {
  const directory = await mkdtemp(join(tmpdir(), 'cryopod-memory-'));
  try {
    const places = {
      meminfo: join(directory, 'meminfo'),
      membership: join(directory, 'cgroup'),
      cgroups: join(directory, 'fs'),
    };
    await writeFile(places.meminfo, MEMINFO);
    await writeFile(places.membership, membership);
    for (const [path, text] of Object.entries(files)) {
      await mkdir(join(places.cgroups, path, '..'), { recursive: true });
      await writeFile(join(places.cgroups, path), text);
    }
    return readMemoryFacts(places);
  } finally {
    await rm(directory, { recursive: true });
  }
}

test('on cgroup v2 the limits of a cgroup and of those above it are read', async () => {
  assert.deepEqual(
    await facts('0::/user.slice/shell\n', {
      'user.slice/memory.max': 'max\n',
      'user.slice/memory.current': '2000\n',
      'user.slice/memory.stat': 'anon 1\ninactive_file 1000\n',
      'user.slice/shell/memory.max': '1048576\n',
      'user.slice/shell/memory.current': '1000\n',
      'user.slice/shell/memory.stat': 'anon 1\n',
    }),
    {
      total: 16 * GIB,
      available: 10 * GIB,
      cgroups: [
        { limit: MIB, used: 1000, inactiveFile: 0 },
        { limit: Number.POSITIVE_INFINITY, used: 2000, inactiveFile: 1000 },
      ],
    },
  );
});

test('on a hybrid host the controller is found where cgroup v1 has it, also together with others', async () => {
  const { cgroups } = await facts('5:devices:/\n4:cpu,memory:/job\n0::/job\n', {
    'unified/job/cgroup.procs': '',
    'memory/memory.limit_in_bytes': '9223372036854771712\n',
    'memory/memory.usage_in_bytes': '3000\n',
    'memory/memory.stat': 'inactive_file 7\ntotal_inactive_file 70\n',
    'memory/job/memory.limit_in_bytes': '4096000\n',
    'memory/job/memory.usage_in_bytes': '2000\n',
    'memory/job/memory.stat': 'inactive_file 5\ntotal_inactive_file 50\n',
  });
  assert.deepEqual(cgroups, [
    { limit: 4096000, used: 2000, inactiveFile: 50 },
    { limit: Number('9223372036854771712'), used: 3000, inactiveFile: 70 },
  ]);
});

test('this machine has memory', () => {
  const { total, available } = readMemoryFacts();
  assert.ok(total > available && available > 0);
});
