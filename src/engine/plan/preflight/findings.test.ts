import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type ErrorCode, isCryopodError } from '../../../model/errors.ts';
import { sampleContainer } from '../../../model/testing.ts';
import type { CheckName } from './finding.ts';
import { importFindings, refuseImport } from './import.ts';
import { archive, facts, HOST, NEEDS, notable, OPTIONS, OTHER, volume } from './testing.ts';
import type { ImportCheckOptions, ImportFacts } from './types.ts';

interface Row {
  readonly what: string;
  readonly facts: Partial<ImportFacts>;
  readonly options?: Partial<ImportCheckOptions>;
  readonly check: CheckName;
  /** Undefined: a warning. */
  readonly code?: ErrorCode;
  readonly words: RegExp;
  readonly hint?: RegExp;
}

const ROWS: readonly Row[] = [
  {
    what: 'without root',
    facts: { isRoot: false },
    check: 'rights',
    code: 'NEEDS_ROOT',
    words: /^restoring a container requires root$/,
  },
  {
    what: 'another runtime is asked for',
    facts: { runtime: { name: '/usr/bin/crun', asked: true } },
    check: 'runtime',
    code: 'RESTORE_REFUSED',
    words:
      /^checkpoint archive db\.tar\.zst was created with runtime 'runc' and cannot be restored with runtime 'crun'$/,
  },
  {
    what: 'the runtime cannot restore',
    facts: {
      runtime: { name: 'runc', asked: false, problem: { message: 'no valid executable', hint: 'x' } },
    },
    check: 'runtime',
    code: 'RUNTIME_UNSUPPORTED',
    words: /no valid executable/,
  },
  {
    what: 'the archive wants something of the host',
    facts: { archive: archive({}, { risks: [{ sentence: 'is privileged' }] }) },
    check: 'security',
    code: 'RESTORE_REFUSED',
    words: /^the container in db\.tar\.zst is privileged$/,
    hint: /--trust/,
  },
  {
    what: 'that is accepted',
    facts: { archive: archive({}, { risks: [{ sentence: 'is privileged' }] }) },
    options: { trust: true },
    check: 'security',
    words: /is privileged/,
  },
  {
    what: 'something is left out',
    facts: { archive: archive({}, { dropped: ['hooks of the OCI runtime'] }) },
    check: 'security',
    words: /go without .*hooks/,
  },
  {
    what: 'the profile is not loaded',
    facts: {
      needs: { ...NEEDS, lsm: 'apparmor', profiles: ['box (enforce)', 'loaded (enforce)'] },
      host: { ...HOST, lsm: 'apparmor', profiles: ['loaded'] },
    },
    check: 'security',
    code: 'RESTORE_REFUSED',
    words: /^the AppArmor profile box of the processes is not loaded here$/,
    hint: /apparmor_parser/,
  },
  {
    what: 'the host has no security module',
    facts: { needs: { ...NEEDS, lsm: 'selinux', profiles: ['system_u:system_r:container_t:s0'] } },
    check: 'security',
    words: /confined by SELinux .* has no security module/,
  },
  {
    what: 'the seccomp profile is missing',
    facts: { missingSeccomp: '/etc/box.json' },
    check: 'security',
    code: 'RESTORE_REFUSED',
    words: /seccomp profile \/etc\/box\.json/,
  },
  {
    what: 'a volume exists',
    facts: { archive: archive({ mounts: [volume('data')] }), existingVolumes: ['data'] },
    check: 'volumes',
    code: 'NAME_IN_USE',
    words: /^volume with name data already exists\. Use --ignore-volumes to not restore content of volumes$/,
  },
  {
    what: 'the name is taken',
    facts: { holders: { name: OTHER } },
    check: 'name',
    code: 'NAME_IN_USE',
    words: /the container name "db" is already in use by b{64}/,
    hint: /--name/,
  },
  {
    what: 'the new name is taken',
    facts: { holders: { name: OTHER } },
    options: { name: 'other' },
    check: 'name',
    code: 'NAME_IN_USE',
    words: /"other" is already in use/,
  },
  {
    what: 'the new name is none',
    facts: {},
    options: { name: 'a/b' },
    check: 'name',
    code: 'USAGE',
    words: /^container name "a\/b": names must match/,
  },
  {
    what: 'the ID is taken',
    facts: { holders: { id: { id: 'a1'.repeat(32), name: 'renamed' } } },
    check: 'id',
    code: 'NAME_IN_USE',
    words: /container ID "(a1){32}" is already in use by the container renamed/,
  },
  {
    what: 'the image must be pulled',
    facts: {
      archive: archive({ imageName: 'docker.io/library/redis:7' }),
      image: { present: false, inArchive: false },
    },
    check: 'image',
    words: /it will be pulled/,
  },
  {
    what: 'no registry has the image',
    facts: { image: { present: false, inArchive: false } },
    check: 'image',
    code: 'NO_SUCH_IMAGE',
    words: /localhost\/bb:1 .* no registry/,
    hint: /--with-image/,
  },
  {
    what: 'the image is here as another build',
    facts: { image: { present: false, inArchive: false, otherId: 'c'.repeat(64) } },
    check: 'image',
    words: /another build \(cccccccccccc instead of 0b0b0b0b0b0b\)/,
  },
  {
    what: 'the image is not known by name',
    facts: { archive: archive({ imageName: '' }), image: { present: false, inArchive: false } },
    check: 'image',
    code: 'NO_SUCH_IMAGE',
    words: /does not tell its name/,
  },
  {
    what: 'a network is missing',
    facts: { missingNetworks: [{ name: 'mynet', subnets: ['10.77.0.0/24'] }] },
    check: 'network',
    code: 'NO_SUCH_NETWORK',
    words: /unable to find network with name or ID mynet/,
    hint: /network create --subnet 10\.77\.0\.0\/24 mynet$/,
  },
  {
    what: 'an address is taken',
    facts: { addressProblems: [{ message: 'requested ip address 10.0.0.5 is already allocated' }] },
    check: 'network',
    code: 'ADDRESS_IN_USE',
    words: /10\.0\.0\.5/,
    hint: /--ignore-static-ip/,
  },
  {
    what: 'a port is taken',
    facts: {
      archive: archive({
        network: {
          ...sampleContainer().config.network,
          ports: [{ hostIp: '', hostPort: 80, containerPort: 80, range: 1, protocol: 'tcp' }],
        },
      }),
      takenPorts: [{ message: 'listen tcp :80: bind: address already in use' }],
    },
    check: 'ports',
    code: 'PORT_IN_USE',
    words: /:80: bind/,
    hint: /--publish/,
  },
  {
    what: 'the source of a mount is missing',
    facts: {
      archive: archive({ mounts: [{ type: 'bind', source: '/srv', destination: '/data', options: [] }] }),
      missingSources: [{ source: '/srv', destination: '/data' }],
    },
    check: 'mounts',
    code: 'RESTORE_REFUSED',
    words: /cannot mount \/srv at \/data/,
  },
  {
    what: 'the architecture is another',
    facts: { host: { ...HOST, architecture: 'arm64', machine: 'aarch64' } },
    check: 'cpu',
    code: 'RESTORE_REFUSED',
    words: /those of x86_64 and this host is aarch64/,
  },
  {
    what: 'registers in use are missing',
    facts: {
      needs: { ...NEEDS, xstate: 0xa2n },
      host: { ...HOST, cpu: { model: 'Small', flags: ['fpu', 'sse2', 'avx', 'avx2'] } },
    },
    check: 'cpu',
    code: 'RESTORE_REFUSED',
    words: /use AVX-512 registers, which this CPU \(Small\) does not have/,
    hint: /--ignore-cpu/,
  },
  {
    what: 'instructions are missing',
    facts: { host: { ...HOST, cpu: { model: 'Small', flags: ['fpu', 'sse2', 'avx'] } } },
    check: 'cpu',
    code: 'RESTORE_REFUSED',
    words: /\(Source\) had avx2, avx512f, which this one \(Small\) lacks/,
    hint: /--ignore-cpu/,
  },
  {
    what: 'missing instructions are accepted',
    facts: { host: { ...HOST, cpu: { model: 'Small', flags: ['fpu', 'sse2'] } } },
    options: { ignoreCpu: true },
    check: 'cpu',
    words: /lacks/,
  },
  {
    what: 'the CPU is not known',
    facts: { archive: archive({}, { facts: undefined }) },
    check: 'cpu',
    words: /does not tell which CPU/,
  },
  {
    what: 'the kernel is older',
    facts: { host: { ...HOST, kernel: '5.15.0' } },
    check: 'kernel',
    words: /kernel 6\.1\.0-12 and this is 5\.15\.0/,
  },
  {
    what: 'CRIU is older',
    facts: { criu: { version: '3.19', defects: [] } },
    check: 'criu',
    words: /CRIU 4\.1 and this is 3\.19/,
    hint: /CRIU 4\.1 or newer/,
  },
  {
    what: 'CRIU is missing',
    facts: { criu: { version: '', defects: [], problem: { message: 'no criu program was found' } } },
    check: 'criu',
    code: 'CRIU_MISSING',
    words: /no criu program/,
  },
  {
    what: 'CRIU is known not to do all on this kernel',
    facts: { criu: { version: '4.1', defects: [{ meaning: 'it cannot save sockets', fix: 'Take 4.2.' }] } },
    check: 'criu',
    words: /cannot save sockets/,
  },
  {
    what: 'cgroups v1 meet a host with v2',
    facts: { needs: { ...NEEDS, cgroupVersion: 1 } },
    check: 'cgroups',
    code: 'RESTORE_REFUSED',
    words: /cgroups v1 and this host has v2/,
  },
  {
    what: 'cgroups v2 meet a host with v1',
    facts: { host: { ...HOST, cgroupVersion: 1 } },
    check: 'cgroups',
    words: /cgroups v2 and this host has v1/,
  },
  {
    what: 'connections without an option',
    facts: { needs: { ...NEEDS, connections: 1 } },
    check: 'connections',
    code: 'RESTORE_REFUSED',
    words: /holds 1 established TCP connection$/,
    hint: /--tcp-established .* --tcp-close/,
  },
  {
    what: 'locks without the option',
    facts: { needs: { ...NEEDS, locks: 2 } },
    check: 'locks',
    words: /2 file locks/,
    hint: /--file-locks/,
  },
  {
    what: 'too little space',
    facts: { space: { directory: '/store', free: 999 } },
    check: 'space',
    code: 'NO_SPACE',
    words: /takes 1000 bytes and \/store has 999 free/,
  },
];

for (const { what, facts: change, options, check, code, words, hint } of ROWS) {
  test(`an import is ${code === undefined ? 'warned of' : 'refused'}: ${what}`, () => {
    const findings = importFindings(facts(change), { ...OPTIONS, ...options });
    const [found, ...others] = notable(findings);
    assert.deepEqual(others, []);
    assert.equal(found?.check, check);
    assert.equal(found.level, code === undefined ? 'warning' : 'obstacle');
    assert.match(found.sentence, words);
    assert.match(found.hint ?? '', hint ?? /^/);
    if (code === undefined) return refuseImport(findings);
    assert.throws(
      () => refuseImport(findings),
      (error) => isCryopodError(error, code) && words.test(error.message),
    );
  });
}
