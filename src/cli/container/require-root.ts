import { fail } from '../../model/errors.ts';

/** Refuses with podman's words before the store is opened. `what` stands before "requires root". */
export function requireRoot(what: string): void {
  if (process.geteuid?.() === 0) return;
  fail('NEEDS_ROOT', { message: `${what} requires root`, hint: 'Run it with sudo.' });
}
