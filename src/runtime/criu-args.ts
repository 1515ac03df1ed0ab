import type { CheckpointRequest } from './types.ts';

/** The options that both runtimes spell alike. */
export function commonCheckpointArgs(request: CheckpointRequest): string[] {
  return [
    '--image-path',
    request.imagePath,
    '--work-path',
    request.workPath,
    ...(request.parentPath === undefined ? [] : ['--parent-path', request.parentPath]),
    ...(request.leaveRunning ? ['--leave-running'] : []),
    ...(request.preDump === true ? ['--pre-dump'] : []),
    ...commonCriuArgs(request),
  ];
}

/** Of both checkpoint and restore. */
export function commonCriuArgs(options: {
  readonly tcpEstablished: boolean;
  readonly fileLocks: boolean;
  readonly extUnixSk?: boolean | undefined;
  readonly shellJob?: boolean | undefined;
}): string[] {
  return [
    ...(options.tcpEstablished ? ['--tcp-established'] : []),
    ...(options.fileLocks ? ['--file-locks'] : []),
    ...(options.extUnixSk === true ? ['--ext-unix-sk'] : []),
    ...(options.shellJob === true ? ['--shell-job'] : []),
  ];
}
