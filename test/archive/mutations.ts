import { BLOCK, directory, header, link, longName, member, pax, withChecksum } from './tar-builder.ts';

/** Numbers that a seed determines. */
export interface Random {
  /** A whole number from 0 to below `limit`. */
  readonly below: (limit: number) => number;
  readonly pick: <T>(choices: readonly T[]) => T;
}

/** Mulberry32: small, and good enough to choose bytes. */
export function randomFrom(seed: number): Random {
  let state = seed >>> 0;
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return (mixed ^ (mixed >>> 14)) >>> 0;
  };
  const below = (limit: number): number => (limit <= 0 ? 0 : next() % limit);
  return {
    below,
    pick: (choices) => {
      const choice = choices[below(choices.length)];
      if (choice === undefined) throw new RangeError('nothing to choose from');
      return choice;
    },
  };
}

type Mutation = (bytes: Buffer, random: Random) => Buffer;

const blocksOf = (bytes: Buffer): number => Math.floor(bytes.length / BLOCK);
const anyBlock = (bytes: Buffer, random: Random): number => random.below(blocksOf(bytes)) * BLOCK;

/** Offsets of the blocks that look like headers. */
function headersOf(bytes: Buffer): number[] {
  const found: number[] = [];
  for (let at = 0; at + BLOCK <= bytes.length; at += BLOCK) {
    if (bytes.toString('latin1', at + 257, at + 262) === 'ustar') found.push(at);
  }
  return found;
}

const flipBytes: Mutation = (bytes, random) => {
  const changed = Buffer.from(bytes);
  for (let count = 1 + random.below(8); count > 0; count -= 1) {
    const at = random.below(changed.length);
    changed[at] = (changed[at] ?? 0) ^ (1 << random.below(8));
  }
  return changed;
};

const cutOff: Mutation = (bytes, random) => bytes.subarray(0, random.below(bytes.length));

const overwrite: Mutation = (bytes, random) => {
  const changed = Buffer.from(bytes);
  const at = random.below(changed.length);
  changed.subarray(at, at + random.below(2 * BLOCK)).fill(random.pick([0, 0xff, 0x20, 0x41]));
  return changed;
};

const swapBlocks: Mutation = (bytes, random) => {
  const changed = Buffer.from(bytes);
  const [one, other] = [anyBlock(bytes, random), anyBlock(bytes, random)];
  bytes.copy(changed, one, other, other + BLOCK);
  bytes.copy(changed, other, one, one + BLOCK);
  return changed;
};

const repeatBlocks: Mutation = (bytes, random) => {
  const from = anyBlock(bytes, random);
  const to = from + (1 + random.below(4)) * BLOCK;
  const at = anyBlock(bytes, random);
  return Buffer.concat([bytes.subarray(0, at), bytes.subarray(from, to), bytes.subarray(at)]);
};

const dropBlocks: Mutation = (bytes, random) => {
  const from = anyBlock(bytes, random);
  return Buffer.concat([bytes.subarray(0, from), bytes.subarray(from + (1 + random.below(3)) * BLOCK)]);
};

const NAMES = [
  'config.dump',
  './config.dump',
  'cryopod.sums',
  'checkpoint',
  'checkpoint/',
  'checkpoint/parent',
  'checkpoint/a/b',
  'pre-checkpoint/x.img',
  'volumes/v.tar',
  'artifacts/x',
  'unknown',
  '/etc/passwd',
  '../canary',
  'checkpoint/../../canary',
  '..',
  '.',
  './',
  '',
  'x\0y',
];
const TYPES = [...'01234567LKxgSDV\0Z'];
const TARGETS = ['', '..', '../canary', '../pre-checkpoint', '/etc/passwd', 'config.dump'];
const SIZES = [
  '00000000000\0',
  '00000000001\0',
  '00000001000\0',
  '77777777777\0',
  '           \0',
  '-0000000001\0',
  '\x80\0\0\0\0\0\0\0\0\0\x02\0',
  '\x80\0\0\0\x7f\xff\xff\xff\xff\xff\xff\xff',
  '\x80\0\0\0\0\x1f\xff\xff\xff\xff\xff\xff',
  '\xff'.repeat(12),
  '\0'.repeat(12),
];
const MAGICS = ['ustar\x0000', 'ustar  \0', '\0'.repeat(8), 'ustar\x0001'];

/** Changes one field of a header and corrects its checksum, so that the change is what is judged. */
const changeHeader: Mutation = (bytes, random) => {
  const headers = headersOf(bytes);
  if (headers.length === 0) return bytes;
  const changed = Buffer.from(bytes);
  const at = random.pick(headers);
  const block = changed.subarray(at, at + BLOCK);
  const put = (value: string, from: number, length: number) =>
    block.fill(0, from, from + length).write(value, from, length, 'latin1');
  random.pick([
    () => put(random.pick(NAMES), 0, 100),
    () => put(random.pick(SIZES), 124, 12),
    () => put(random.pick(TYPES), 156, 1),
    () => put(random.pick(TARGETS), 157, 100),
    () => put(random.pick(MAGICS), 257, 8),
    () => put(random.pick(NAMES), 345, 155),
    () => block.subarray(random.below(BLOCK), random.below(BLOCK)).fill(random.below(256)),
  ])();
  withChecksum(block);
  return changed;
};

/** Puts a whole member, or half of one, where a header may stand. */
const insertMember: Mutation = (bytes, random) => {
  const at = random.pick([0, ...headersOf(bytes), bytes.length]);
  const name = random.pick(NAMES);
  const size = random.pick(['0', '1', '512', '-1', '18446744073709551616', '9007199254740991', 'x']);
  const inserted = random.pick([
    () => member(name, 'inserted'),
    () => directory(name),
    () => link(name, random.pick(TARGETS)),
    () => header({ name, type: random.pick(TYPES), target: random.pick(TARGETS) }),
    () => longName(name),
    () => longName(`checkpoint/${'n'.repeat(random.below(600))}`),
    () => pax({ path: name }),
    () => pax({ size }),
    () => pax({ linkpath: random.pick(TARGETS) }),
    () => pax({ 'GNU.sparse.name': name }),
    () => pax({ path: name }, 'g'),
    () => Buffer.alloc(BLOCK),
  ])();
  return Buffer.concat([bytes.subarray(0, at), inserted, bytes.subarray(at)]);
};

const MUTATIONS: readonly Mutation[] = [
  flipBytes,
  cutOff,
  overwrite,
  swapBlocks,
  repeatBlocks,
  dropBlocks,
  changeHeader,
  changeHeader,
  insertMember,
  insertMember,
];

/** An archive with one to three things wrong, before compression. */
export function mutate(bytes: Buffer, random: Random): Buffer {
  let mutated = bytes;
  for (let count = 1 + random.below(3); count > 0 && mutated.length > 0; count -= 1) {
    mutated = random.pick(MUTATIONS)(mutated, random);
  }
  return mutated;
}

/** The same for bytes without blocks: a compressed archive. */
export const mutateStream = (bytes: Buffer, random: Random): Buffer =>
  random.pick([flipBytes, cutOff, overwrite])(bytes, random);
