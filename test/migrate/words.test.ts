import assert from 'node:assert/strict';
import { test } from 'node:test';
import { command } from '../../src/cli/commands/migrate.ts';
import { DUMP_RULES } from '../../src/criu/dump-rules.ts';
import { RESTORE_RULES } from '../../src/criu/restore-rules.ts';
import { errorInOwnWords, findingInOwnWords } from '../../src/engine/plan/migrate/own-words.ts';
import { type Finding, obstacle } from '../../src/engine/plan/preflight/finding.ts';
import { importFindings } from '../../src/engine/plan/preflight/import.ts';
import { archive, facts, NEEDS, OPTIONS, OTHER, volume } from '../../src/engine/plan/preflight/testing.ts';
import { lazyFindings } from '../../src/engine/plan/restore.ts';
import { CryopodError, isCryopodError } from '../../src/model/errors.ts';
import { sampleContainer } from '../../src/model/testing.ts';

const kebab = (name: string): string => name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);

/** Of migrate itself, of every command, and of those with which a container and its network are made. */
const ALLOWED = new Set([
  ...Object.keys(command.flags).map(kebab),
  ...['root', 'subnet', 'trust', 'device', 'ipc', 'pid', 'pids-limit', 'security-opt', 'runtime'],
]);

const foreign = (text: string): string[] =>
  [...text.matchAll(/--([a-z][a-z-]*)/g)].map(([, name = '']) => name).filter((name) => !ALLOWED.has(name));

/** Everything that an import can be refused for at once. */
const FINDINGS: readonly Finding[] = [
  ...importFindings(
    facts({
      archive: archive(
        {
          mounts: [volume('data')],
          network: {
            ...sampleContainer().config.network,
            ports: [{ hostIp: '', hostPort: 80, containerPort: 80, range: 1, protocol: 'tcp' }],
          },
        },
        { risks: [{ sentence: 'is privileged' }] },
      ),
      existingVolumes: ['data'],
      holders: { name: OTHER },
      needs: { ...NEEDS, connections: 1, locks: 1 },
      image: { present: false, inArchive: false },
      addressProblems: [{ message: 'the address is taken' }],
      takenPorts: [{ message: 'the port is taken' }],
      runtime: { name: 'crun', asked: true },
    }),
    OPTIONS,
  ),
  ...lazyFindings({ runtime: { name: 'crun', able: false }, criu: false }),
];

test('what stands in the way of a migration is told without options that it does not have', () => {
  const before = FINDINGS.flatMap(({ sentence, hint = '' }) => foreign(`${sentence} ${hint}`));
  assert.deepEqual(
    new Set(before),
    new Set(['ignore-volumes', 'tcp-close', 'with-image', 'ignore-static-ip', 'publish', 'lazy']),
    'an import tells of them',
  );
  for (const finding of FINDINGS.map(findingInOwnWords)) {
    assert.deepEqual(foreign(`${finding.sentence} ${finding.hint ?? ''}`), [], JSON.stringify(finding));
  }
});

test('what CRIU cannot save or bring back is told so, too', () => {
  for (const { hint } of [...DUMP_RULES, ...RESTORE_RULES]) {
    const told = errorInOwnWords(new CryopodError('RESTORE_FAILED', { message: 'x', hint }));
    assert.ok(isCryopodError(told));
    assert.deepEqual(foreign(told.hint ?? ''), [], hint);
    assert.doesNotMatch(told.hint ?? '', /checkpoint is kept|give it to the restore/, hint);
  }
});

test('a hint that is of no use to a migration is none, and another one stays as it is', () => {
  const hint = 'Give the archive of the pre-checkpoint too: --import-previous FILE';
  assert.equal(findingInOwnWords(obstacle('images', 'RESTORE_REFUSED', 'x', hint)).hint, undefined);
  const profile = obstacle('security', 'RESTORE_REFUSED', 'the seccomp profile x does not exist', 'Copy it.');
  assert.deepEqual(findingInOwnWords(profile), profile);
});
