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

/** Fails unless the process is in the container's own cgroup, with all its limits. */
async function assertLimits(container: string): Promise<void> {
  const path = await cryopod(['inspect', '--format', '{{.State.CgroupPath}}', container]);
  assert.equal(readFileSync(`/proc/${runningMemory()}/cgroup`, 'utf8'), `0::${path}\n`);
  const read = (name: string): string => readFileSync(`/sys/fs/cgroup${path}/${name}`, 'utf8').trim();
  assert.deepEqual(Object.fromEntries(Object.keys(WANTED).map((name) => [name, read(name)])), WANTED);
}

export const CGROUPS: readonly Scenario[] = [
  {
    name: 'cryopod keeps the limits of a container on cgroup v2 over a checkpoint, and those of a copy by an archive',
    run: async (note) => {
      const archive = '/tmp/limits.tar.zst';
      await importImage();
      await cryopod(['run', '-d', '--name', 'l', ...LIMITS, IMAGE, '/memory', `${MEMORY_MIB}`]);
      let floor = await reach(1);
      await assertLimits('l');
      await cryopod(['container', 'checkpoint', 'l']);
      await gone();
      await cryopod(['container', 'restore', 'l']);
      floor = await checkMemory(floor);
      await assertLimits('l');
      await cryopod(['container', 'checkpoint', '--export', archive, 'l']);
      await gone();
      await cryopod(['container', 'restore', '--import', archive, '--name', 'copy']);
      await checkMemory(floor);
      await assertLimits('copy');
      await discard(cryopod, 'copy');
      await gone();
      await discard(cryopod, 'l');
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
