import { fail } from '../model/errors.ts';

export const DEFAULT_DETACH_KEYS = 'ctrl-p,ctrl-q';

/**
 * The bytes of a key sequence: single characters and ctrl-X (a to z, @, [, \, ], ^, _), joined by commas. Empty for none.
 * Fails with USAGE.
 */
export function parseDetachKeys(text: string): number[] {
  if (text === '') return [];
  return text.split(',').map((key) => {
    const control = /^ctrl-([a-z@[\\\]^_])$/i.exec(key)?.[1];
    // ASCII: control characters are the letters' codes without the bits 0x60.
    if (control !== undefined) return control.toUpperCase().charCodeAt(0) & 0x1f;
    if (key.length === 1 && key.charCodeAt(0) < 0x80) return key.charCodeAt(0);
    return fail('USAGE', { message: `failed to parse detach keys: Unknown character: '${key}'` });
  });
}

/** Looks for a key sequence in a stream of input. */
export interface KeyWatch {
  /** What to pass on of `input`; bytes that may begin the sequence are held back until it is clear that they do not. */
  readonly feed: (input: Uint8Array) => { readonly pass: Buffer; readonly detach: boolean };
}

export function watchKeys(sequence: readonly number[]): KeyWatch {
  let held: number[] = [];
  return {
    feed: (input) => {
      if (sequence.length === 0) return { pass: Buffer.from(input), detach: false };
      const pass: number[] = [];
      for (const byte of input) {
        held.push(byte);
        // The longest end of what is held that begins the sequence stays; what stands before it goes on.
        while (held.length > 0 && !held.every((one, index) => one === sequence[index])) {
          pass.push(held[0] ?? 0);
          held = held.slice(1);
        }
        if (held.length === sequence.length) return { pass: Buffer.from(pass), detach: true };
      }
      return { pass: Buffer.from(pass), detach: false };
    },
  };
}
