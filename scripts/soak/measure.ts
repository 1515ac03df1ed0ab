import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { mountPoints } from '../../src/system/mounts.ts';
import { runOk } from '../../src/system/process.ts';
import { processesWorkingOn } from '../../src/system/procfs.ts';
import type { Sandbox } from '../../test/fixtures/sandbox.ts';

/** Monitors, and what a command of cryopod could leave working (Node calls its main thread so). */
const PROGRAMS = /^(?:conmon|runc|crun|criu|ld-linux|MainThread|zstd|netavark)/;

/** What a round of freezing and thawing could leave behind a little of. */
export interface Measure {
  /** Of the monitor. */
  readonly descriptors: number;
  /** Of the monitor, in kB (VmRSS of proc_pid_status(5)). */
  readonly memory: number;
  readonly mounts: number;
  /** Processes of the container's store: the monitor, and whatever should not be there. */
  readonly processes: number;
  /** Of iptables, in the namespace that stands for the host's. */
  readonly rules: number;
  /** Bytes of the database with its log. */
  readonly database: number;
  /** Files and directories of the container in both directories of the store; what it writes itself is left out. */
  readonly files: number;
}

const countFiles = (directory: string): number =>
  readdirSync(directory, { recursive: true, encoding: 'utf8' }).filter(
    (name) => !/(?:^|\/)overlay\//.test(name),
  ).length;

export async function measure(box: Sandbox, id: string): Promise<Measure> {
  const processes = processesWorkingOn(box.directory, PROGRAMS).filter(({ pid }) => pid !== process.pid);
  const monitor = processes.find(({ name }) => name === 'conmon')?.pid ?? 0;
  const status = readFileSync(`/proc/${monitor}/status`, 'utf8');
  const database = readdirSync(box.root).filter((name) => name.startsWith('state.db'));
  return {
    descriptors: readdirSync(`/proc/${monitor}/fd`).length,
    memory: Number(/^VmRSS:\s*(\d+)/m.exec(status)?.[1]),
    mounts: mountPoints().filter(({ target }) => target.startsWith(box.directory)).length,
    processes: processes.length,
    rules: (await runOk(['iptables-save'], 'list firewall rules'))
      .split('\n')
      .filter((line) => line.startsWith('-A')).length,
    database: database.reduce((sum, name) => sum + statSync(join(box.root, name)).size, 0),
    files: countFiles(join(box.root, 'containers', id)) + countFiles(join(box.runroot, 'containers', id)),
  };
}

/** How much more of each there may be at the end than after the first round, without being called a leak. */
const ALLOWED: Measure = {
  descriptors: 0,
  memory: 512,
  mounts: 0,
  processes: 0,
  rules: 0,
  database: 256 << 10,
  files: 0,
};

/** What has grown, in words; empty is good. */
export function leaks(first: Measure, last: Measure): string[] {
  const names = Object.keys(ALLOWED) as (keyof Measure)[];
  return names
    .filter((name) => last[name] > first[name] + ALLOWED[name])
    .map((name) => `${name}: ${first[name]} after the first round, ${last[name]} after the last`);
}
