import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseCapabilities, parseSecurity, type SecurityFlags } from './security.ts';
import { assertRefused } from './testing.ts';

const security = (flags: Partial<SecurityFlags>) =>
  parseSecurity({ securityOpt: [], capAdd: [], capDrop: [], privileged: false, readOnly: false, ...flags });

test('capabilities are known by all their spellings', () => {
  assert.deepEqual(parseCapabilities(['net_admin', 'CAP_SYS_PTRACE', 'Net_Admin']), [
    'CAP_NET_ADMIN',
    'CAP_SYS_PTRACE',
  ]);
  assert.deepEqual(parseCapabilities(['all']), ['ALL']);
  assertRefused(() => parseCapabilities(['fly']), '"CAP_FLY": unknown capability');
});

test('a capability is added or dropped, not both', () => {
  assert.deepEqual(security({ capDrop: ['all'], capAdd: ['kill'] }).capAdd, ['CAP_KILL']);
  assertRefused(
    () => security({ capDrop: ['kill'], capAdd: ['CAP_KILL'] }),
    'capability "CAP_KILL" cannot be dropped and added',
  );
  assertRefused(
    () => security({ capDrop: ['all'], capAdd: ['all'] }),
    'adding all caps and removing all caps not allowed',
  );
});

test('security options are read with = and with :', () => {
  const options = [
    'label=disable',
    'seccomp=unconfined',
    'no-new-privileges',
    'apparmor:web',
    'mask=/a:/b',
    'unmask=all',
    'unmask=/proc/*',
  ];
  assert.deepEqual(security({ securityOpt: options, readOnly: true }), {
    privileged: false,
    capAdd: [],
    capDrop: [],
    noNewPrivileges: true,
    seccomp: 'unconfined',
    apparmor: 'web',
    mask: ['/a', '/b'],
    unmask: ['ALL', '/proc/*'],
    readOnlyRootfs: true,
  });
  assert.equal(security({ securityOpt: ['no-new-privileges:false'] }).noNewPrivileges, false);
  assert.deepEqual(security({ securityOpt: ['systempaths=unconfined'] }).unmask, ['ALL']);
});

test('wrong security options are refused with the words of podman', () => {
  const refused = (option: string, message: string) =>
    assertRefused(() => security({ securityOpt: [option] }), message);
  refused('seccomp', 'invalid --security-opt 1: "seccomp"');
  refused('magic=on', 'invalid --security-opt 2: "magic=on"');
  refused('no-new-privileges=maybe', 'invalid --security-opt 2: "no-new-privileges=maybe"');
  refused('mask=relative', 'invalid --security-opt 2: "mask=relative"');
  refused('systempaths=x', 'invalid systempaths option "x", only `unconfined` is supported');
});
