import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Container, type ContainerConfig, STOPPED_STATE } from '../../model/container.ts';
import { type ErrorCode, isCryopodError } from '../../model/errors.ts';
import { type CheckpointFacts, type CheckpointOptions, refuseCheckpoint } from './checkpoint.ts';
import { type RestoreFacts, type RestoreOptions, refuseRestore } from './restore.ts';

/** The parts of a container that the refusals look at. */
const box = (state: Partial<Container['state']>, autoRemove = false): Container => ({
  config: { id: 'a'.repeat(64), name: 'box', autoRemove } as ContainerConfig,
  state: { ...STOPPED_STATE, ...state },
});

const OPTIONS: CheckpointOptions = {
  keep: false,
  leaveRunning: false,
  tcpEstablished: false,
  fileLocks: false,
};
const FACTS: CheckpointFacts = {
  isRoot: true,
  runtime: { name: 'runc', able: true },
  obstacles: [],
  memoryBytes: 1000,
  freeBytes: 1 << 30,
  directory: '/store',
};
const running = box({ status: 'running' });

function refused(work: () => void, code: ErrorCode, words: RegExp): void {
  assert.throws(work, (error) => isCryopodError(error, code) && words.test(error.message));
}

test('a running container on an able host is not refused', () => {
  refuseCheckpoint(running, OPTIONS, FACTS);
});

test('a checkpoint is refused for what podman refuses, in its words', () => {
  const rows: [Container, Partial<CheckpointFacts>, ErrorCode, RegExp][] = [
    [running, { isRoot: false }, 'NEEDS_ROOT', /^checkpointing a container requires root$/],
    [
      box({ status: 'exited' }),
      {},
      'CONTAINER_STATE',
      /^"exited" is not running, cannot checkpoint: container state improper$/,
    ],
    [box({ status: 'paused' }), {}, 'CONTAINER_STATE', /^"paused" is not running/],
    [
      box({ status: 'running' }, true),
      {},
      'CHECKPOINT_REFUSED',
      /^cannot checkpoint containers that have been started with '--rm' unless '--export' is used$/,
    ],
    [
      running,
      { runtime: { name: 'crun', able: false } },
      'RUNTIME_UNSUPPORTED',
      /^configured runtime does not support checkpoint\/restore$/,
    ],
    [running, { memoryBytes: 1 << 30 }, 'NO_SPACE', /goes on running/],
  ];
  for (const [container, facts, code, words] of rows) {
    refused(() => refuseCheckpoint(container, OPTIONS, { ...FACTS, ...facts }), code, words);
  }
});

test('an obstacle is refused unless the option that takes it away is given', () => {
  const obstacles = [
    { sentence: 'process 7 (web) is connected', hint: 'x', solvedBy: 'tcpEstablished' },
  ] as const;
  refused(
    () => refuseCheckpoint(running, OPTIONS, { ...FACTS, obstacles }),
    'CHECKPOINT_REFUSED',
    /process 7 \(web\)/,
  );
  refuseCheckpoint(running, { ...OPTIONS, tcpEstablished: true }, { ...FACTS, obstacles });
});

const RESTORE: RestoreOptions = {
  keep: false,
  tcpEstablished: false,
  tcpClose: false,
  fileLocks: false,
  ignoreStaticIp: false,
  ignoreStaticMac: false,
};
const READY: RestoreFacts = { isRoot: true, complete: true, runtime: { able: true } };

test('a restore is refused for what podman refuses, in its words', () => {
  const stopped = box({ status: 'exited', checkpointed: true });
  refuseRestore(stopped, RESTORE, READY);
  const id = 'a'.repeat(64);
  refused(
    () => refuseRestore(stopped, RESTORE, { ...READY, isRoot: false }),
    'NEEDS_ROOT',
    /^restoring a container requires root$/,
  );
  refused(
    () => refuseRestore(running, RESTORE, READY),
    'CONTAINER_STATE',
    new RegExp(`^container ${id} is running or paused, cannot restore: container state improper$`),
  );
  refused(
    () => refuseRestore(stopped, RESTORE, { ...READY, complete: false }),
    'RESTORE_REFUSED',
    /^a complete checkpoint for this container cannot be found, cannot restore/,
  );
  refused(
    () => refuseRestore(stopped, { ...RESTORE, tcpEstablished: true, tcpClose: true }, READY),
    'USAGE',
    /together/,
  );
});
