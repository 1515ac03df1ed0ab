import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { cryopod } from '../engines.ts';
import { ok, type Scenario } from '../scenario.ts';

const lineWith = (text: string, words: string): string =>
  text.split('\n').find((line) => line.includes(words)) ?? '';

export const FACTS: readonly Scenario[] = [
  {
    name: 'the kernel tracks which pages a process has changed',
    run: async (note) => {
      note(`kernel ${await ok(['uname', '-r'])}`);
      const { length } = readFileSync('/sys/fs/cgroup/cgroup.controllers', 'utf8').trim().split(' ');
      note(`cgroup v2 without systemd, ${length} controllers`);
      note(`CRIU ${lineWith(await ok(['criu', '--version']), 'Version').replace('Version: ', '')}`);
      assert.match(
        await ok(['criu', 'check', '--feature', 'mem_dirty_track']),
        /mem_dirty_track is supported/,
      );
    },
  },
  {
    name: 'cryopod doctor finds dirty page tracking, and nothing in the way of a checkpoint',
    run: async (note) => {
      const report = await cryopod(['doctor']);
      assert.match(report, /^ok +dirty page tracking +available$/m);
      assert.match(report, /Checkpoint and restore will work on this host/);
      note(lineWith(report, 'dirty page tracking'));
      note(lineWith(report, 'cgroups'));
    },
  },
];
