import assert from 'node:assert/strict';
import { test } from 'node:test';
import { resolveProfile, type SeccompProfile } from './seccomp.ts';
import { FALLBACK_PROFILE } from './seccomp-fallback.ts';

const PROFILE: SeccompProfile = {
  defaultAction: 'SCMP_ACT_ERRNO',
  defaultErrnoRet: 38,
  archMap: [
    { architecture: 'SCMP_ARCH_X86_64', subArchitectures: ['SCMP_ARCH_X86'] },
    { architecture: 'SCMP_ARCH_AARCH64', subArchitectures: null },
  ],
  syscalls: [
    { names: ['read'], action: 'SCMP_ACT_ALLOW', args: [], includes: {}, excludes: {} },
    { names: ['bpf'], action: 'SCMP_ACT_ALLOW', includes: { caps: ['CAP_SYS_ADMIN'] } },
    { names: ['bpf'], action: 'SCMP_ACT_ERRNO', errnoRet: 1, excludes: { caps: ['CAP_SYS_ADMIN'] } },
    { names: ['arch_prctl'], action: 'SCMP_ACT_ALLOW', includes: { arches: ['amd64'] } },
  ],
};

const namesOf = (capabilities: readonly string[], arch: string): string[] =>
  resolveProfile(PROFILE, capabilities, arch).syscalls.flatMap(({ names, action }) =>
    names.map((name) => `${name}:${action}`),
  );

test('Rules hold by capability and architecture', () => {
  assert.deepEqual(namesOf([], 'x64'), [
    'read:SCMP_ACT_ALLOW',
    'bpf:SCMP_ACT_ERRNO',
    'arch_prctl:SCMP_ACT_ALLOW',
  ]);
  assert.deepEqual(namesOf(['CAP_SYS_ADMIN'], 'arm64'), ['read:SCMP_ACT_ALLOW', 'bpf:SCMP_ACT_ALLOW']);
});

test('The map of architectures becomes the list for this machine', () => {
  assert.deepEqual(resolveProfile(PROFILE, [], 'x64').architectures, ['SCMP_ARCH_X86_64', 'SCMP_ARCH_X86']);
  assert.deepEqual(resolveProfile(PROFILE, [], 'arm64').architectures, ['SCMP_ARCH_AARCH64']);
});

test('An unhandled call gets the profile’s error number', () => {
  assert.equal(resolveProfile(PROFILE, [], 'x64').defaultErrnoRet, 38);
});

test('Without an installed profile, mounting and keyrings are refused to a plain container', () => {
  const refused = resolveProfile(FALLBACK_PROFILE, [], 'x64').syscalls.flatMap(({ names }) => names);
  for (const name of ['mount', 'keyctl', 'reboot', 'init_module']) assert.equal(refused.includes(name), true);
  const open = resolveProfile(FALLBACK_PROFILE, ['CAP_SYS_ADMIN'], 'x64').syscalls.flatMap(
    ({ names }) => names,
  );
  assert.equal(open.includes('mount'), false);
});
