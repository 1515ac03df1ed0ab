import { DEFAULT_ROOT, DEFAULT_RUNROOT } from '../system/store-paths.ts';
import { defineFlags } from './parse/flags.ts';

/** Flags that stand before every command. */
export const GLOBAL_FLAGS = defineFlags({
  root: {
    type: 'string',
    value: 'DIR',
    default: DEFAULT_ROOT,
    help: 'Where containers, images and volumes are kept',
  },
  runroot: { type: 'string', value: 'DIR', default: DEFAULT_RUNROOT, help: 'Where volatile files are kept' },
  runtime: { type: 'string', value: 'NAME|PATH', help: 'OCI runtime for new containers (runc, crun)' },
  cgroupManager: { type: 'string', value: 'cgroupfs|systemd', help: 'Who makes cgroups' },
  logLevel: {
    type: 'string',
    value: 'LEVEL',
    default: 'warn',
    help: 'Diagnostics on stderr from this level on: trace, debug, info, warn, error, fatal',
  },
  progress: {
    type: 'string',
    value: 'auto|json|none',
    default: 'auto',
    help: 'How long work tells about itself on stderr: a line on a terminal, JSON events, nothing',
  },
  timeout: { type: 'int', value: 'SECONDS', help: 'How long to wait for another command on the same object' },
});
