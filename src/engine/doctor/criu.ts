import { type CriuFeature, type CriuProbe, criuDefects, MINIMUM_CRIU } from '../../criu/probe.ts';
import { bad, type Check, good, warn } from './check.ts';
import { tryCriu } from './trial.ts';

const GET_CRIU =
  'Run scripts/setup.sh, which brings a CRIU that works on this kernel, or install CRIU 4.2 or newer.';

/** What does not work without a feature of kernel and CRIU together. */
const FEATURES: Readonly<Record<CriuFeature, string>> = {
  dirtyTracking:
    "the kernel does not tell which pages changed: CRIU's own pre-dump cannot be used, page contents must be compared",
  lazyPages: 'memory cannot be brought in while a restored process already runs',
  pagemapScan: 'looking for changed pages is slower',
  nftablesLock: 'connections are locked by iptables rules during a dump, so that iptables must be installed',
  timeNamespace: 'clocks of a restored container jump by the time that it was down',
  cloneSetTid: 'restoring needs kernel.ns_last_pid, and is slower',
};

const LABELS: Readonly<Record<CriuFeature, string>> = {
  dirtyTracking: 'dirty page tracking',
  lazyPages: 'lazy pages (userfaultfd)',
  pagemapScan: 'pagemap scan',
  nftablesLock: 'network lock by nftables',
  timeNamespace: 'time namespace',
  cloneSetTid: 'clone3 with set_tid',
};

/** Is there a CRIU, does it work on this kernel, and what can both do? `directory` is for a trial's files. */
export async function checkCriu(probe: CriuProbe | undefined, directory: string): Promise<Check[]> {
  if (probe === undefined) {
    return [bad('CRIU', 'not installed', 'no container can be checkpointed or restored', GET_CRIU)];
  }
  const found = `${probe.versionText} at ${probe.path}`;
  if (probe.version < MINIMUM_CRIU) {
    return [bad('CRIU', found, `checkpoint/restore requires at least CRIU ${MINIMUM_CRIU}`, GET_CRIU)];
  }
  return [
    good('CRIU', found),
    probe.works
      ? good('criu check', 'looks good')
      : bad('criu check', probe.complaint, 'CRIU does not work on this kernel', GET_CRIU),
    ...criuDefects(probe.version, probe.kernel).map(({ meaning, fix }) =>
      bad('CRIU defect', `${probe.versionText} on kernel ${probe.kernel}`, meaning, fix),
    ),
    await trial(probe, directory),
    ...featureChecks(probe),
  ];
}

async function trial({ path, versionText }: CriuProbe, directory: string): Promise<Check> {
  const result = await tryCriu(path, directory);
  if (result.ok) return good('CRIU trial', `a process was frozen and thawed in ${result.milliseconds} ms`);
  return bad(
    'CRIU trial',
    `${result.step} of a test process failed: ${result.reason}`,
    `CRIU ${versionText} cannot save and bring back processes here`,
    GET_CRIU,
  );
}

function featureChecks({ features }: CriuProbe): Check[] {
  return (Object.keys(FEATURES) as CriuFeature[]).map((feature) =>
    features[feature]
      ? good(LABELS[feature], 'available')
      : warn(LABELS[feature], 'not available', FEATURES[feature]),
  );
}
