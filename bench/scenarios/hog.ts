import { statSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Engine } from '../measure.ts';

/**
 * Holds so many MiB, half of them random and half of them text, and says every 10 ms what its longest pause was so far, in
 * milliseconds: a clock inside the container. USR1 starts the pause anew.
 */
const PROGRAM = String.raw`
use Time::HiRes qw(clock_gettime CLOCK_MONOTONIC usleep);
my $half = shift() * 524288;
open(my $random, "<", "/dev/urandom") or die;
my $line = "what is text compresses well, " x 34953;
my (@noise, @text);
for (1 .. $half >> 20) { sysread($random, my $block, 1 << 20); push(@noise, $block); push(@text, $line . $_) }
my ($longest, $last, $said) = (0, clock_gettime(CLOCK_MONOTONIC), 0);
$SIG{USR1} = sub { $longest = 0; $last = clock_gettime(CLOCK_MONOTONIC) };
$| = 1;
while (1) {
  usleep(500);
  my $now = clock_gettime(CLOCK_MONOTONIC);
  $longest = $now - $last if $now - $last > $longest;
  $last = $now;
  if ($now - $said > 0.01) { printf("%.1f\n", 1000 * $longest); $said = $now }
}`;

const LIMIT_MS = 120_000;

export const sizeName = (mebibytes: number): string =>
  mebibytes >= 1024 ? `${mebibytes / 1024} GiB` : `${mebibytes} MiB`;

export interface Hog {
  readonly name: string;
  /** Milliseconds of the longest pause since {@link forgetPause}. */
  readonly longestPause: () => Promise<number>;
  readonly forgetPause: () => Promise<void>;
  /** Resolves at the next word that the process says; gives the milliseconds that it took. */
  readonly nextWord: () => Promise<number>;
}

/** Starts a container that holds `mebibytes` and waits until it does. */
export async function startHog(engine: Engine, name: string, mebibytes: number): Promise<Hog> {
  const image = await engine.image('perl');
  const options = ['--name', name, '--network', 'none', '--log-driver', 'k8s-file'];
  await engine.run(['run', '-d', ...options, image, 'perl', '-e', PROGRAM, String(mebibytes)]);
  const log = await logOf(engine, name);
  const grows = async (): Promise<number> => {
    const begun = performance.now();
    const { size } = statSync(log);
    while (statSync(log).size <= size) {
      if (performance.now() - begun > LIMIT_MS) throw new Error(`${name} of ${engine.name} says nothing`);
      await sleep(1);
    }
    return performance.now() - begun;
  };
  await grows();
  const longestPause = async (): Promise<number> => {
    // The last line may be under way.
    const { stdout } = await engine.run(['logs', '--tail', '3', name]);
    const words = stdout.match(/^\d+\.\d$/gm);
    if (words === null) throw new Error(`${name} of ${engine.name} tells no pause: ${stdout}`);
    return Number(words.at(-1));
  };
  return {
    name,
    longestPause,
    forgetPause: async () => {
      await engine.run(['kill', '--signal', 'USR1', name]);
      // The clock's first words after a pause still tell of it.
      while ((await longestPause()) > 100) await sleep(10);
    },
    nextWord: grows,
  };
}

export async function logOf(engine: Engine, name: string): Promise<string> {
  const { stdout } = await engine.run(['inspect', '--format', '{{.HostConfig.LogConfig.Path}}', name]);
  return stdout;
}
