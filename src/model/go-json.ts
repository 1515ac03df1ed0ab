/** The largest unsigned 64-bit number, which JavaScript's numbers cannot hold: OCI's and Linux's "unlimited". */
const UNLIMITED = '18446744073709551615';
/** From here on numbers cannot be told from {@link UNLIMITED} (2^63). */
const TOO_LARGE = 2 ** 63;

/** JSON for a program written in Go; Infinity becomes the largest 64-bit number. Indented by two spaces. */
export const goJson = (value: unknown): string =>
  JSON.stringify(
    value,
    (_key, item: unknown) => (item === Number.POSITIVE_INFINITY ? `\u0000${UNLIMITED}` : item),
    2,
  )
    // A NUL cannot stand in any argument, path or variable, so that this is the mark set above.
    .replaceAll(`"\\u0000${UNLIMITED}"`, UNLIMITED);

/** Reads JSON that a program written in Go wrote: `null` stands for "absent", numbers from 2^63 on become Infinity. */
export const parseGoJson = (text: string): unknown =>
  JSON.parse(text, (_key, value: unknown) => {
    if (value === null) return undefined;
    return typeof value === 'number' && value >= TOO_LARGE ? Number.POSITIVE_INFINITY : value;
  });
