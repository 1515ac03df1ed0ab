import { commonCheckpointArgs, commonCriuArgs } from './criu-args.ts';
import type { RuntimeFlavor } from './flavor.ts';

/** runc: all versions know checkpoint; CRIU is a program that it starts from PATH. */
export const runc: RuntimeFlavor = {
  checkpointArgs: (request) => [
    ...commonCheckpointArgs(request),
    ...(request.lazyPages === undefined ? [] : ['--lazy-pages']),
  ],
  restoreArgs: (options) => [
    ...commonCriuArgs(options),
    ...(options.lazyPages === true ? ['--lazy-pages'] : []),
  ],
  lazyPages: true,
  checkpoints: (_version, checkpointHelp) => checkpointHelp,
  whyNot: 'its binary has no checkpoint command',
  unknownContainer: /container does not exist|does not exist/i,
  notRunning: /container not running|process already finished|process not found|cannot .* stopped container/i,
};
