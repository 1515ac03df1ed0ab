import { existsSync, readFileSync } from 'node:fs';
import { errnoOf } from '../../model/errors.ts';

const APPARMOR = '/sys/kernel/security/apparmor';

/** The security module that labels processes, found as CRIU finds it (criu/lsm.c, get_host_lsm). */
export function hostSecurityModule(): 'none' | 'selinux' | 'apparmor' {
  if (existsSync(APPARMOR)) return 'apparmor';
  return existsSync('/sys/fs/selinux/enforce') ? 'selinux' : 'none';
}

/** Names of the loaded AppArmor profiles; undefined where the kernel does not show them. */
export function loadedProfiles(): string[] | undefined {
  try {
    // A line is `NAME (enforce)`.
    const lines = readFileSync(`${APPARMOR}/profiles`, 'utf8').split('\n');
    return lines.filter((line) => line !== '').map((line) => line.replace(/ \(\w+\)$/, ''));
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === 'ENOENT' || errno === 'EACCES' || errno === 'EPERM') return undefined;
    throw error;
  }
}
