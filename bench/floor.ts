import { spawnSync } from 'node:child_process';
import { mkdirSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { childEnvironment } from '../src/system/tools.ts';
import { type Engine, spread } from './measure.ts';
import { startHog } from './scenarios/hog.ts';

/** What the parts need by themselves on the same bytes: no engine on this machine can be faster with them. */
export interface Floor {
  readonly label: string;
  readonly milliseconds: number;
}

/**
 * Runs the parts alone, on a container of cryopod's that holds `mebibytes`: the memory of an export can be no faster than the
 * runtime writing into zstd, and an import no faster than unpacking and the runtime's restore after it.
 */
export async function measureFloor(cryopod: Engine, mebibytes: number): Promise<Floor[]> {
  const { directory } = cryopod;
  const hog = await startHog(cryopod, 'floor', mebibytes);
  const images = join(directory, 'floor-images');
  mkdirSync(images);
  try {
    const { stdout: id } = await cryopod.run(['inspect', '--format', '{{.Id}}', hog.name]);
    const runc = ['runc', '--root', join(directory, 'run', 'runc')];
    const dump = [
      ...runc,
      'checkpoint',
      '--leave-running',
      '--image-path',
      images,
      '--work-path',
      directory,
      id,
    ];
    const pages = join(images, 'pages-1.img');
    const packing = `rm -f "$1"; mkfifo -m 600 "$1"; zstd -q -1 -T0 -c < "$1" > "$2" & shift 2; "$@"; wait`;
    const fifo = ['sh', '-c', packing, 'sh', pages, join(directory, 'floor.zst'), ...dump];
    const floor = [timed('runc checkpoint --leave-running, its pages through a FIFO into zstd', fifo)];
    rmSync(pages);
    floor.push(timed('runc checkpoint --leave-running into files', dump));
    const size = `${(statSync(pages).size / 1e6).toFixed(0)} MB`;
    const packed = join(directory, 'floor.zst');
    floor.push(
      timed(`zstd -T0 of its ${size} of pages`, ['zstd', '-q', '-T0', '-f', '-o', packed, pages]),
      timed('zstd -d of the result', ['zstd', '-q', '-d', '-f', '-o', `${packed}.out`, packed]),
      timed(`one copy of them in memory`, ['dd', `if=${pages}`, 'of=/dev/null', 'bs=1M', 'status=none']),
    );
    return [
      ...floor,
      await measureRestore(cryopod, hog.name, 'runc restore of it from files'),
      await measureSmallRestore(cryopod),
    ];
  } finally {
    await cryopod.run(['rm', '--force', '--time', '0', hog.name]);
    for (const name of ['floor-images', 'floor.zst', 'floor.zst.out', 'dump.log', 'stats-dump']) {
      rmSync(join(directory, name), { recursive: true, force: true });
    }
  }
}

/** No restore that leaves memory for later can be faster than one of next to no memory. */
async function measureSmallRestore(cryopod: Engine): Promise<Floor> {
  const { name } = await startHog(cryopod, 'floor-small', 1);
  try {
    return await measureRestore(cryopod, name, 'runc restore of a container of 1 MiB from files');
  } finally {
    await cryopod.run(['rm', '--force', '--time', '0', name]);
  }
}

/** As the engine times the runtime within its own command. */
async function measureRestore(cryopod: Engine, name: string, label: string): Promise<Floor> {
  const took: number[] = [];
  for (let round = 0; round <= ROUNDS; round += 1) {
    await cryopod.run(['container', 'checkpoint', name]);
    const { stdout } = await cryopod.run(['container', 'restore', '--print-stats', name]);
    const microseconds = Number(/"runtime_restore_duration": (\d+)/.exec(stdout)?.[1]);
    if (round > 0) took.push(microseconds / 1000);
  }
  return { label, milliseconds: spread(took).median };
}

/** Warm-up and three rounds: memory that a machine touches for the first time can be several times slower. */
const ROUNDS = 3;

/** Median of the rounds. */
function timed(label: string, [program = '', ...args]: readonly string[]): Floor {
  const took: number[] = [];
  for (let round = 0; round <= ROUNDS; round += 1) {
    const begun = performance.now();
    const { status, stderr } = spawnSync(program, args, { encoding: 'utf8', env: childEnvironment() });
    if (round > 0) took.push(performance.now() - begun);
    if (status !== 0) throw new Error(`${program} ended with ${status}: ${stderr}`);
  }
  return { label, milliseconds: spread(took).median };
}
