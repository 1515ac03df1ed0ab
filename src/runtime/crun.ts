import { readFileSync } from 'node:fs';
import { commonCheckpointArgs, commonCriuArgs } from './criu-args.ts';
import type { RuntimeFlavor } from './flavor.ts';

/**
 * True where this process also lives in cgroup v1 hierarchies (cgroups(7), /proc/PID/cgroup). crun itself knows only
 * v2, but CRIU would save and restore the v1 ones too and fail on the host's; then it must leave cgroups to crun.
 */
const hasV1Hierarchies = (): boolean =>
  readFileSync('/proc/self/cgroup', 'utf8')
    .split('\n')
    .some((line) => line !== '' && !line.startsWith('0::'));

const cgroupArgs = (): string[] => (hasV1Hierarchies() ? ['--manage-cgroups-mode', 'ignore'] : []);

/** crun: CRIU is a library that it may have been built with. */
export const crun: RuntimeFlavor = {
  checkpointArgs: (request) => [...commonCheckpointArgs(request), ...cgroupArgs()],
  restoreArgs: (options) => [...commonCriuArgs(options), ...cgroupArgs()],
  lazyPages: false,
  checkpoints: (versionText) => versionText.includes('+CRIU'),
  whyNot: 'it was built without CRIU (its --version does not show +CRIU)',
  unknownContainer: /No such file or directory|does not exist/i,
  notRunning: /not running|No such process|container .* is stopped/i,
};
