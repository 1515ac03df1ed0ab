import { asRisk, type Finding, obstacle, ok, warning } from './finding.ts';
import { imageSecurityFindings } from './images.ts';
import type { ImageNeeds, ImportFacts } from './types.ts';

/** What the container would get of the host, and whether its processes can be confined as they were. */
export const securityFindings = (facts: ImportFacts, trust: boolean): Finding[] => {
  const found = [
    ...riskFindings(facts, trust),
    ...imageSecurityFindings(facts, trust),
    ...labelFindings(facts),
    ...seccompFindings(facts),
    ...droppedFindings(facts),
  ];
  return found.length > 0 ? found : [ok('security', 'the container gets nothing special of this host')];
};

const riskFindings = ({ archive }: ImportFacts, trust: boolean): Finding[] =>
  archive.risks.map(({ sentence }) => asRisk(archive.name, sentence, trust));

const MODULES: Readonly<Record<ImageNeeds['lsm'], string>> = {
  none: 'no security module',
  apparmor: 'AppArmor',
  selinux: 'SELinux',
};

/**
 * CRIU puts labels back only where the host has the same security module, and leaves them out in silence elsewhere
 * (criu/lsm.c, validate_lsm). An AppArmor profile must be loaded under its name.
 */
function labelFindings({ needs, host }: ImportFacts): Finding[] {
  if (needs === undefined || needs.lsm === 'none' || needs.profiles.length === 0) return [];
  const names = needs.profiles.join(', ');
  if (needs.lsm !== host.lsm) {
    const sentence = `the processes were confined by ${MODULES[needs.lsm]} (${names}) and this host has ${MODULES[host.lsm]}: they will run without it`;
    return [warning('security', sentence)];
  }
  const { profiles } = host;
  if (needs.lsm !== 'apparmor' || profiles === undefined) return [];
  const missing = needs.profiles.filter((label) => !profiles.includes(profileOf(label)));
  return missing.map((label) =>
    obstacle(
      'security',
      'RESTORE_REFUSED',
      `the AppArmor profile ${profileOf(label)} of the processes is not loaded here`,
      'Load it with apparmor_parser, or restore a container made with --security-opt apparmor=unconfined.',
    ),
  );
}

/** `name (enforce)` is how the kernel shows a profile with its mode. */
const profileOf = (label: string): string => label.replace(/ \(\w+\)$/, '');

const seccompFindings = ({ missingSeccomp }: ImportFacts): Finding[] =>
  missingSeccomp === undefined
    ? []
    : [
        obstacle(
          'security',
          'RESTORE_REFUSED',
          `the seccomp profile ${missingSeccomp} of the container does not exist on this host`,
          'Copy it from the host of the checkpoint.',
        ),
      ];

const droppedFindings = ({ archive }: ImportFacts): Finding[] =>
  (archive.dropped ?? []).map((what) =>
    warning('security', `the container will go without what the archive asks for: ${what}`),
  );
