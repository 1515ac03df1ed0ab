import { fail } from '../../model/errors.ts';

/** How work in a thread of its own hears and is heard: called often, it stops the work when that was asked for. */
export interface Pulse {
  /** `bytes` more are done. Fails with INTERRUPTED. */
  readonly beat: (bytes: number) => void;
}

/** Bytes between two reports. */
const REPORT_BYTES = 32 << 20;

/** A pulse that looks at the first number of `stop`, and reports bytes so far. */
export function makePulse(stop: Int32Array, report: (bytes: number) => void): Pulse {
  let bytes = 0;
  let reported = 0;
  return {
    beat: (more) => {
      if (Atomics.load(stop, 0) !== 0) fail('INTERRUPTED', { message: 'interrupted' });
      bytes += more;
      if (bytes - reported < REPORT_BYTES) return;
      reported = bytes;
      report(bytes);
    },
  };
}
