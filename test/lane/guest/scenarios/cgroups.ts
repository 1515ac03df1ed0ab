import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { cryopod, discard, IMAGE, importImage } from '../engines.ts';
import { checkMemory, gone, MEMORY_MIB, reach, runningMemory } from '../memory.ts';
import { ok, type Scenario, waitUntil } from '../scenario.ts';

const LIMITS = ['--memory', '128m', '--pids-limit', '50', '--cpus', '1.5', '--cpuset-cpus', '1'];

/** The files of cgroup v2 that {@link LIMITS} are written to. */
const WANTED: Readonly<Record<string, string>> = {
  'memory.max': `${128 << 20}`,
  'pids.max': '50',
  'cpu.max': '150000 100000',
  'cpuset.cpus': '1',
};

/** The limits of the cgroup that the process is in. */
function limitsOf(pid: number): Record<string, string> {
  const path = readFileSync(`/proc/${pid}/cgroup`, 'utf8').trim().replace('0::', '');
  const read = (name: string): string => readFileSync(`/sys/fs/cgroup${path}/${name}`, 'utf8').trim();
  return Object.fromEntries(Object.keys(WANTED).map((name) => [name, read(name)]));
}

export const CGROUPS: readonly Scenario[] = [
  {
    name: 'cryopod keeps the limits of a container on cgroup v2 over a checkpoint, and over an export and import',
    run: async (note) => {
      const archive = '/tmp/limits.tar.zst';
      await importImage();
      await cryopod(['run', '-d', '--name', 'l', ...LIMITS, IMAGE, '/memory', `${MEMORY_MIB}`]);
      let floor = await reach(1);
      assert.deepEqual(limitsOf(runningMemory()), WANTED);
      await cryopod(['container', 'checkpoint', 'l']);
      await gone();
      await cryopod(['container', 'restore', 'l']);
      floor = await checkMemory(floor);
      assert.deepEqual(limitsOf(runningMemory()), WANTED);
      await cryopod(['container', 'checkpoint', '--export', archive, 'l']);
      await gone();
      await discard(cryopod, 'l');
      await cryopod(['container', 'restore', '--import', archive]);
      await checkMemory(floor);
      assert.deepEqual(limitsOf(runningMemory()), WANTED);
      await discard(cryopod, 'l');
      await gone();
      await ok(['rm', archive]);
      note(Object.entries(WANTED).flat().join(' '));
    },
  },
  {
    name: 'a server of cryopod answers at its published port after a checkpoint and a restore',
    run: async () => {
      const server = ['httpd', '-f', '-p', '80', '-h', '/etc'];
      await cryopod(['run', '-d', '--name', 's', '-p', '127.0.0.1:8080:80', IMAGE, ...server]);
      const ask = (): Promise<string | undefined> =>
        fetch('http://127.0.0.1:8080/os-release').then(
          (answer) => answer.text(),
          () => undefined,
        );
      assert.match(await waitUntil('the server answers', ask), /cryopod base image/);
      await cryopod(['container', 'checkpoint', 's']);
      await cryopod(['container', 'restore', 's']);
      assert.match(await waitUntil('the server answers again', ask), /cryopod base image/);
      await discard(cryopod, 's');
    },
  },
];
