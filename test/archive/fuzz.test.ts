import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { ByteSource } from '../../src/archive/decompressor.ts';
import { readMembers, unpackArchive } from '../../src/archive/reader.ts';
import type { UnpackRequest } from '../../src/archive/types.ts';
import { CryopodError } from '../../src/model/errors.ts';
import { mutate, mutateStream, type Random, randomFrom } from './mutations.ts';
import {
  archive,
  type Contents,
  directory,
  link,
  longName,
  member,
  pax,
  summedArchive,
} from './tar-builder.ts';
import { checkConfined, filesIn, filtered, gzip, inPlace, namesBelow, zstd } from './unpacking.ts';

/**
 * Damaged archives, each chosen by its seed alone. `CRYOPOD_FUZZ=20000` runs more of them, `CRYOPOD_FUZZ_SEED=N` begins
 * at another one; a failure names its seed.
 */
const CASES = Number(process.env.CRYOPOD_FUZZ ?? 2000);
const FIRST_SEED = Number(process.env.CRYOPOD_FUZZ_SEED ?? 1);
const STREAM_CASES = Math.ceil(CASES / 20);

/** How long one small archive may take before it counts as a hang. */
const LIMIT_MS = 30_000;
const MAX_BYTES = 1 << 20;

const CONTENTS: Contents = [
  ['config.dump', '{"id":"1"}'],
  ['spec.dump', '{}'],
  ['checkpoint/core-1.img', 'core'.repeat(200)],
  ['checkpoint/pages-1.img', 'page'.repeat(1500)],
  ['volumes/v.tar', 'volume'],
  ['ctr.log', ''],
];
const NAME =
  /^(config\.dump|spec\.dump|network\.status|stats-dump|devshm-checkpoint\.tar|ctr\.log|rootfs-diff\.tar|deleted\.files|cryopod\.(json|sums)|cryopod-image\.tar|(pre-)?checkpoint(\/[A-Za-z0-9][A-Za-z0-9._:-]*)?|volumes(\/[a-zA-Z0-9][a-zA-Z0-9_.-]*\.tar)?)$/;

/** Archives as podman, GNU tar and cryopod write them. */
async function validArchives(): Promise<Buffer[]> {
  const parts = CONTENTS.map(([name, content]) => member(name, content));
  return [
    archive(directory('artifacts'), directory('checkpoint'), ...parts, directory('volumes')),
    summedArchive(CONTENTS),
    archive(
      directory('checkpoint'),
      link('checkpoint/parent', '../pre-checkpoint'),
      longName(`pre-checkpoint/${'n'.repeat(120)}`),
      member('cut', 'gnu'),
      pax({ path: `checkpoint/${'p'.repeat(120)}`, size: '3' }),
      member('cut', 'pax'),
      member('dump.log', 'unknown'),
      ...parts,
    ),
    await gnuArchive(),
  ];
}

async function gnuArchive(): Promise<Buffer> {
  const tree = await mkdtemp(join(tmpdir(), 'cryopod-fuzz-tree-'));
  try {
    for (const name of ['checkpoint', 'volumes']) await mkdir(join(tree, name));
    for (const [name, content] of CONTENTS) await writeFile(join(tree, name), content);
    return await filtered(Buffer.alloc(0), [
      'tar',
      '--create',
      '--file=-',
      '--format=gnu',
      `--directory=${tree}`,
      '.',
    ]);
  } finally {
    await rm(tree, { recursive: true });
  }
}

/** Gives bytes in parts of any length, in one buffer that is used again, as the decompressor does. */
function inParts(bytes: Buffer, random: Random): ByteSource {
  const longest = random.pick([7, 100, 511, 512, 513, 5000, 50_000]);
  const buffer = Buffer.alloc(longest);
  let at = 0;
  return {
    next: async () => {
      buffer.fill(0xee);
      const length = bytes.copy(buffer, 0, at, at + 1 + random.below(longest));
      at += length;
      return length === 0 ? undefined : buffer.subarray(0, length);
    },
  };
}

type Unpacking = (request: Omit<UnpackRequest, 'source'>) => Promise<{
  readonly members: readonly { readonly name: string; readonly size: number }[];
}>;

/** One archive: a refusal that a user can read, or exactly the members it tells of. Returns the refusal's code. */
async function judge(base: string, unpacking: Unpacking): Promise<string> {
  const directory = join(base, 'directory');
  await mkdir(directory, { mode: 0o700 });
  const told: string[] = [];
  const outcome = await withinLimit(
    unpacking({
      directory,
      wants: (name) => name !== 'spec.dump',
      maxBytes: MAX_BYTES,
      onMember: async (name) => {
        told.push(name);
      },
    }),
  );
  await checkConfined(base, directory);
  for (const name of await namesBelow(directory)) assert.match(name, NAME);
  if (!(outcome instanceof CryopodError)) {
    const files = Object.keys(await filesIn(directory)).filter((name) => name !== 'checkpoint/parent');
    const wanted = outcome.members.filter(({ name }) => name !== 'spec.dump');
    assert.deepEqual(new Set(files), new Set(wanted.map(({ name }) => name)));
    assert.deepEqual(
      told,
      wanted.map(({ name }) => name),
    );
    for (const { name, size } of wanted) assert.equal((await stat(join(directory, name))).size, size);
  }
  await rm(directory, { recursive: true });
  return outcome instanceof CryopodError ? outcome.code : 'accepted';
}

async function withinLimit<T>(work: Promise<T>): Promise<T | CryopodError> {
  let timer: NodeJS.Timeout | undefined;
  const limit = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error('the reader hangs')), LIMIT_MS);
  });
  try {
    return await Promise.race([work, limit]);
  } catch (error) {
    if (error instanceof CryopodError) return error;
    throw error;
  } finally {
    clearTimeout(timer);
  }
}

const CODES = ['ARCHIVE_INVALID', 'NO_SPACE', 'accepted'];

/** Runs `cases` seeds; all three outcomes must occur, or the damage would be of one kind only. */
async function fuzz(
  cases: number,
  prepare: (seed: number, scratch: string) => Promise<Unpacking>,
): Promise<void> {
  await inPlace(async ({ scratch }) => {
    const base = join(scratch, 'fuzz');
    await mkdir(join(base, 'scratch'), { recursive: true });
    await writeFile(join(base, 'canary'), 'untouched');
    const seen = new Set<string>();
    for (let seed = FIRST_SEED; seed < FIRST_SEED + cases; seed += 1) {
      try {
        const code = await judge(base, await prepare(seed, join(base, 'scratch')));
        assert.ok(CODES.includes(code), `the outcome ${code}`);
        seen.add(code);
      } catch (error) {
        throw new Error(`with CRYOPOD_FUZZ_SEED=${seed} CRYOPOD_FUZZ=1`, { cause: error });
      }
    }
    if (cases >= 1000) assert.deepEqual(seen, new Set(CODES));
  });
}

test('damaged tar archives are refused or read, and leave nothing else behind', async () => {
  const valid = await validArchives();
  await fuzz(CASES, async (seed) => {
    const random = randomFrom(seed);
    const bytes = mutate(random.pick(valid), random);
    return (request) => readMembers(inParts(bytes, random), request);
  });
});

test('damaged archives are refused or read through the decompressor', async () => {
  const valid = await validArchives();
  await fuzz(STREAM_CASES, async (seed, scratch) => {
    const random = randomFrom(seed);
    const damageFirst = random.below(2) === 0;
    const bytes = damageFirst ? mutate(random.pick(valid), random) : random.pick(valid);
    const compressed = await random.pick([zstd, gzip])(bytes);
    const path = join(scratch, 'archive');
    await writeFile(path, damageFirst ? compressed : mutateStream(compressed, random));
    return (request) => unpackArchive({ source: { path }, ...request });
  });
});
