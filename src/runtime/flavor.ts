import { basename } from 'node:path';
import { crun } from './crun.ts';
import { runc } from './runc.ts';
import type { CheckpointRequest, RestoreOptions } from './types.ts';

/** What differs between runtimes. */
export interface RuntimeFlavor {
  /** Options of its checkpoint command, without the container. */
  readonly checkpointArgs: (request: CheckpointRequest) => readonly string[];
  /** Options of its restore command beside those that conmon adds (--image-path, --work-path, --detach …). */
  readonly restoreArgs: (options: RestoreOptions) => readonly string[];
  /** Has --lazy-pages for its restore and checkpoint commands. */
  readonly lazyPages: boolean;
  /** Able to checkpoint, by what `--version` and `checkpoint --help` gave. */
  readonly checkpoints: (versionText: string, checkpointHelp: boolean) => boolean;
  /** Why it is not, with what helps. */
  readonly whyNot: string;
  /** The message says that the runtime does not know the container. */
  readonly unknownContainer: RegExp;
  /** The message says that no process is left that could get a signal. */
  readonly notRunning: RegExp;
}

/** crun for names that begin so, runc's ways for all others. */
export const flavorOf = (path: string): RuntimeFlavor => (basename(path).startsWith('crun') ? crun : runc);
