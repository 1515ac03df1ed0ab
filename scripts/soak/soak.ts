import type { Profile } from '../../test/fixtures/images.ts';
import type { Sandbox } from '../../test/fixtures/sandbox.ts';

/** A program under load that is frozen and thawed many times. */
export interface Soak {
  /** Also the name of its container. */
  readonly image: Profile;
  /** Fails where a byte is wrong. Gives what was checked, in words. */
  readonly work: (box: Sandbox, rounds: number, onRound: (round: number) => Promise<void>) => Promise<string>;
}
