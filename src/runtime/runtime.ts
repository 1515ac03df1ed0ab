import { closeSync, mkdirSync } from 'node:fs';
import { basename, isAbsolute, join } from 'node:path';
import { CryopodError, fail, messageOf } from '../model/errors.ts';
import { removeEmptyCgroup } from '../system/cgroups.ts';
import { makeSocketPair } from '../system/libc.ts';
import { logWarning } from '../system/log.ts';
import { unmountTree } from '../system/mounts.ts';
import { type RunOptions, type RunResult, run } from '../system/process.ts';
import { runtimeStateDirectory, type StorePaths } from '../system/store-paths.ts';
import { findProgram } from '../system/tools.ts';
import { CANCELLABLE, cancelDump, endSession, withoutAbandoned } from './cancel-dump.ts';
import { criuLogDetails } from './criu-log.ts';
import { execInContainer } from './exec.ts';
import { flavorOf, type RuntimeFlavor } from './flavor.ts';
import { probeRuntime } from './probe.ts';
import { decisiveLine, failRuntime } from './runtime-errors.ts';
import { cgroupfsPath } from './spec/resources.ts';
import type { CheckpointRequest, OciRuntime, RuntimeState } from './types.ts';

/** Places outside PATH where distributions keep runtimes. */
const EXTRA_DIRECTORIES = ['/usr/lib/cri-o-runc/sbin', '/usr/libexec/crun'];

/** The number of a program's first descriptor after its standard ones; {@link RunOptions.extraFds} begin there. */
const FIRST_EXTRA_FD = 3;

interface Called {
  readonly ok: boolean;
  readonly stdout: string;
  readonly message: string;
}

const ending = ({ code, signal }: RunResult): string =>
  signal === undefined ? `it ended with status ${code}` : `it was killed by ${signal}`;

/** `before`: a program that starts the runtime. */
type Call = (args: readonly string[], options?: RunOptions, before?: readonly string[]) => Promise<Called>;

/**
 * The runtime of this name (looked for in cryopod's tools and PATH) or absolute path. Cheap: nothing runs yet. Fails
 * with RUNTIME_UNSUPPORTED when there is no such program.
 */
export function openRuntime(
  store: StorePaths,
  nameOrPath: string,
  options: { readonly cgroupManager: 'cgroupfs' | 'systemd' },
): OciRuntime {
  const path = findProgram(nameOrPath, EXTRA_DIRECTORIES);
  if (path === undefined) {
    return fail('RUNTIME_UNSUPPORTED', {
      message: `no valid executable found for OCI runtime ${nameOrPath}: invalid argument`,
      hint: 'Install it, or choose another with --runtime.',
    });
  }
  const name = isAbsolute(nameOrPath) ? basename(path) : nameOrPath;
  const stateDirectory = runtimeStateDirectory(store, name);
  mkdirSync(stateDirectory, { recursive: true, mode: 0o700 });
  const globalArgs = [
    '--root',
    stateDirectory,
    ...(options.cgroupManager === 'systemd' ? ['--systemd-cgroup'] : []),
  ];
  const call: Call = async (args, options, before = []) => {
    const result = await run([...before, path, ...globalArgs, '--log-format', 'json', ...args], options);
    return {
      ok: result.ok,
      stdout: result.stdout,
      message: result.ok ? '' : decisiveLine(result.stderr) || ending(result),
    };
  };
  const flavor = flavorOf(path);
  return {
    name,
    path,
    globalArgs,
    ...verbs(name, flavor, call, stateDirectory),
    ...abilities(store, name, path, flavor, globalArgs),
    checkpoint: async (id, request) => {
      const known = (await probeRuntime(store, path)).checkpointFlags;
      const flags = (request.flags ?? []).filter((flag) => known.includes(flag));
      await checkpoint(name, call, id, [...flavor.checkpointArgs(request), ...flags], request);
    },
  };
}

type Verbs = Pick<
  OciRuntime,
  'start' | 'kill' | 'delete' | 'pause' | 'resume' | 'state' | 'ps' | 'restoreArgs'
>;

function verbs(name: string, flavor: RuntimeFlavor, call: Call, stateDirectory: string): Verbs {
  const must = async (args: readonly string[]): Promise<string> => {
    const { ok, stdout, message } = await call(args);
    return ok ? stdout : failRuntime(name, message);
  };
  return {
    start: async (id) => {
      await must(['start', id]);
    },
    kill: async (id, signal, options) => {
      const all = options?.all === true ? ['--all'] : [];
      const { ok, message } = await call(['kill', ...all, id, String(signal)]);
      if (ok) return true;
      if (flavor.notRunning.test(message) || flavor.unknownContainer.test(message)) return false;
      return failRuntime(name, message);
    },
    delete: async (id, options) => {
      const force = options?.force === true ? ['--force'] : [];
      // runc binds the root file system here for CRIU's restore. Where it was killed meanwhile, its delete would remove
      // this directory with all files of the container.
      await unmountTree(join(stateDirectory, id));
      const { ok, message } = await call(['delete', ...force, id]);
      if (!ok && !flavor.unknownContainer.test(message)) failRuntime(name, message);
      // crun leaves the cgroup of a container that it could not create.
      removeEmptyCgroup(cgroupfsPath(id));
    },
    pause: async (id) => {
      await must(['pause', id]);
    },
    resume: async (id) => {
      await must(['resume', id]);
    },
    state: async (id) => {
      const { ok, stdout, message } = await call(['state', id]);
      if (ok) return parseState(name, stdout);
      return flavor.unknownContainer.test(message) ? undefined : failRuntime(name, message);
    },
    ps: async (id) => parsePids(name, await must(['ps', '--format', 'json', id])),
    restoreArgs: flavor.restoreArgs,
  };
}

function abilities(
  store: StorePaths,
  name: string,
  path: string,
  flavor: RuntimeFlavor,
  globalArgs: readonly string[],
): Pick<OciRuntime, 'probe' | 'canCheckpoint' | 'exec' | 'lazyPages'> {
  return {
    lazyPages: flavor.lazyPages,
    probe: () => probeRuntime(store, path),
    canCheckpoint: async () => {
      const probe = await probeRuntime(store, path);
      return probe.checkpoint ? { able: true } : { able: false, why: `${path}: ${flavor.whyNot}` };
    },
    exec: (id, request) => execInContainer({ store, name, path, globalArgs }, id, request),
  };
}

async function checkpoint(
  name: string,
  call: Call,
  id: string,
  args: readonly string[],
  request: CheckpointRequest,
): Promise<void> {
  // A Ctrl-C on the terminal must not reach CRIU: killed in the middle, it can leave processes that are neither frozen
  // nor whole.
  let session: number | undefined;
  const socket = request.lazyPages && (await endedSocket());
  const dump = call(
    ['checkpoint', ...args, id],
    {
      env: request.criuEnvironment,
      newSession: true,
      extraFds: request.lazyPages && Array(request.lazyPages.socket - FIRST_EXTRA_FD + 1).fill(socket),
      onSpawn: ({ pid }) => {
        session = pid;
      },
    },
    CANCELLABLE,
  );
  if (socket !== undefined) closeSync(socket);
  const { ok, message } = await withoutAbandoned(request.imagePath, untilCancelled(request, dump));
  if (ok) return;
  await endSession(request.imagePath, session);
  throw new CryopodError('CHECKPOINT_FAILED', {
    // runc adds the log's path in a second line; the error carries it apart.
    message: `${name}: ${message.split('\n')[0] ?? ''}`,
    log: await criuLogDetails(join(request.workPath, 'dump.log')),
  });
}

/** Whoever would serve pages on it finds that nobody will ask. The caller closes it. */
async function endedSocket(): Promise<number> {
  const [socket, peer] = await makeSocketPair();
  closeSync(peer);
  return socket;
}

const STATUSES: readonly string[] = ['creating', 'created', 'running', 'paused', 'stopped'];

const isStatus = (text: unknown): text is RuntimeState['status'] =>
  typeof text === 'string' && STATUSES.includes(text);

async function untilCancelled<T>({ signal, imagePath }: CheckpointRequest, dump: Promise<T>): Promise<T> {
  const cancel = (): void => {
    cancelDump(imagePath, dump).catch((error: unknown) => {
      logWarning(`the dump could not be ended early: ${messageOf(error)}`);
    });
  };
  if (signal?.aborted === true) cancel();
  signal?.addEventListener('abort', cancel, { once: true });
  try {
    return await dump;
  } finally {
    signal?.removeEventListener('abort', cancel);
  }
}

/** OCI runtime-spec runtime.md, "State". */
function parseState(name: string, text: string): RuntimeState {
  const value: unknown = JSON.parse(text);
  if (typeof value === 'object' && value !== null && 'status' in value && isStatus(value.status)) {
    const pid = 'pid' in value && typeof value.pid === 'number' ? value.pid : 0;
    return { status: value.status, pid };
  }
  return failRuntime(name, `it gave a state that is not understood: ${text.trim()}`);
}

function parsePids(name: string, text: string): number[] {
  const value: unknown = JSON.parse(text);
  // runc prints null for none.
  if (value === null) return [];
  if (Array.isArray(value) && value.every((pid) => typeof pid === 'number')) return value;
  return failRuntime(name, `it gave a process list that is not understood: ${text.trim()}`);
}
