import { readFileSync } from 'node:fs';
import { requireCriu } from '../criu/probe.ts';
import { type ProcessObstacle, processObstacles } from '../criu/process-facts.ts';
import type { Container } from '../model/container.ts';
import { errnoOf } from '../model/errors.ts';
import { establishedConnections } from '../network/connections.ts';
import { openRuntime } from '../runtime/runtime.ts';
import { hostFacts } from '../runtime/spec/host.ts';
import { processTree } from '../system/procfs.ts';
import { spaceAt } from '../system/space.ts';
import { bundleDirectory } from '../system/store-paths.ts';
import type { EngineContext } from './context.ts';
import { criuProbe } from './criu-probe.ts';
import type { CheckpointFacts, Obstacle } from './plan/checkpoint.ts';

/**
 * What can be known about a running container and the host before anything is frozen. Errors: CRIU_MISSING,
 * RUNTIME_UNSUPPORTED.
 */
export async function checkpointFacts(ctx: EngineContext, container: Container): Promise<CheckpointFacts> {
  const { config, state } = container;
  const runtime = openRuntime(ctx.store, config.runtime, { cgroupManager: config.cgroupManager });
  const directory = bundleDirectory(ctx.store, config.id);
  const ability = await runtime.canCheckpoint();
  requireCriu(await criuProbe(ctx));
  const running = state.status === 'running';
  return {
    isRoot: process.geteuid?.() === 0,
    runtime: { name: runtime.name, ...ability },
    obstacles: running
      ? [
          ...connectionObstacles(state.pid),
          ...processObstacles(state.pid).filter(appliesHere).map(obstacleOf),
        ]
      : [],
    processes: running ? processTree(state.pid).length : undefined,
    memoryBytes: running ? memoryOf(state.pid) : 0,
    freeBytes: (await spaceAt(directory)).free,
    directory,
  };
}

function connectionObstacles(pid: number): Obstacle[] {
  const [first, ...more] = establishedConnections(pid);
  if (first === undefined) return [];
  const others = more.length === 0 ? '' : ` and ${more.length} more`;
  return [
    {
      sentence: `process ${first.pid} (${first.process}) has an established TCP connection ${first.local} to ${first.remote}${others}`,
      hint: 'Use --tcp-established to keep the connections (give it to the restore too), or close them first.',
      solvedBy: 'tcpEstablished',
    },
  ];
}

/** With the freezer of cgroup v2, CRIU dumps stopped processes as they are. */
const appliesHere = ({ kind }: ProcessObstacle): boolean =>
  kind !== 'stopped' || hostFacts().cgroupVersion === 1;

function obstacleOf({ kind, pid, process: name, detail }: ProcessObstacle): Obstacle {
  const who = `process ${pid} (${name})`;
  switch (kind) {
    case 'io_uring':
      return {
        sentence: `${who} uses io_uring (file descriptor ${detail}), whose requests the kernel does not let anyone save`,
        hint: "Switch io_uring off in the program's configuration.",
      };
    case 'lock':
      return {
        sentence: `${who} holds a file lock (${detail})`,
        hint: 'Use --file-locks to keep the locks (give it to the restore too).',
        solvedBy: 'fileLocks',
      };
    case 'stopped':
      return {
        sentence: `${who} is stopped by a signal, and CRIU cannot take hold of a stopped process that the freezer of cgroup v1 has frozen`,
        hint: `Let it go on first: kill -CONT ${pid}`,
      };
    case 'terminal':
      return {
        sentence: `${who} uses the terminal ${detail}, which comes from outside the container and cannot be made again`,
        hint: 'Run the container with -t, so that it has a terminal of its own.',
      };
    case 'traced':
      return {
        sentence: `${who} is traced by ${detail}`,
        hint: 'End the debugger or strace that is attached to it.',
      };
  }
}

/** Bytes of memory that are in no file, of all processes: RssAnon, RssShmem and VmSwap (proc_pid_status(5)), in kB. */
function memoryOf(initPid: number): number {
  let kilobytes = 0;
  for (const { pid } of processTree(initPid)) {
    for (const [, amount] of statusOf(pid).matchAll(/^(?:RssAnon|RssShmem|VmSwap):\s*(\d+) kB$/gm)) {
      kilobytes += Number(amount);
    }
  }
  return kilobytes * 1024;
}

function statusOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/status`, 'utf8');
  } catch (error) {
    // It has ended since the list was made.
    if (errnoOf(error) === 'ENOENT' || errnoOf(error) === 'ESRCH') return '';
    throw error;
  }
}
