import type { Profile } from '../test/fixtures/images.ts';

/** What one round of one engine measured: figures by their column, in the unit that the column says. */
export type Sample = Readonly<Record<string, number>>;

/** Something that is measured on every engine in turn. */
export interface Scenario {
  /** Short, unique; `--only` names it. */
  readonly name: string;
  /** Counted rounds at most: where nothing is promised and a round takes long. */
  readonly rounds?: number | undefined;
  /** What a reader sees in the table, for each figure that a round gives. */
  readonly figures: readonly Figure[];
  /** Makes everything that the rounds need on one engine. */
  readonly prepare: (engine: Engine) => Promise<Prepared>;
}

export interface Figure {
  /** Key in the {@link Sample}. */
  readonly key: string;
  readonly label: string;
  readonly unit: 'ms' | 'MB';
  /** At most so many times the peer's median; undefined where nothing is promised. */
  readonly promise?: number | undefined;
  /** At most so much of cryopod's own median, whatever the peer needs. */
  readonly limit?: number | undefined;
}

export interface Prepared {
  readonly round: () => Promise<Sample>;
  readonly close: () => Promise<void>;
}

/** One engine under test, on a store of its own. */
export interface Engine {
  /** `cryopod`, or the peer's name and version. */
  readonly name: string;
  readonly isPeer: boolean;
  /** For archives and other files of the scenarios; the file system is the same for all engines. */
  readonly directory: string;
  /** Runs a command that must succeed. */
  readonly run: (args: readonly string[]) => Promise<Finished>;
  /** Imports an image, once, and gives the name that `run` takes. */
  readonly image: (profile: Profile) => Promise<string>;
}

export interface Finished {
  readonly stdout: string;
  /** Wall time of the whole command, milliseconds. */
  readonly took: number;
  /** Largest resident set of any process of the command, bytes. */
  readonly peak: number;
}

export interface Spread {
  readonly median: number;
  readonly least: number;
  readonly most: number;
}

/** Figures of one scenario: samples by engine, rounds in the order in which they ran. */
export interface Measured {
  readonly scenario: Scenario;
  readonly samples: ReadonlyMap<string, readonly Sample[]>;
}

/** Runs the rounds interleaved (A B A B …), so that a machine that gets slower is slower for all. One round warms up. */
export async function measure(
  scenario: Scenario,
  engines: readonly Engine[],
  rounds: number,
  onRound: (engine: string, round: number, sample: Sample) => void,
): Promise<Measured> {
  const prepared: { readonly engine: Engine; readonly work: Prepared }[] = [];
  const samples = new Map<string, Sample[]>(engines.map(({ name }) => [name, []]));
  try {
    for (const engine of engines) prepared.push({ engine, work: await scenario.prepare(engine) });
    for (let round = 0; round <= Math.min(rounds, scenario.rounds ?? rounds); round += 1) {
      for (const { engine, work } of prepared) {
        const sample = await work.round();
        if (round > 0) samples.get(engine.name)?.push(sample);
        onRound(engine.name, round, sample);
      }
    }
  } finally {
    for (const { work } of prepared.toReversed()) await work.close();
  }
  return { scenario, samples };
}

export function spread(values: readonly number[]): Spread {
  const sorted = values.filter(Number.isFinite).toSorted((a, b) => a - b);
  const at = (index: number): number => sorted[index] ?? Number.NaN;
  const middle = (sorted.length - 1) / 2;
  return {
    median: (at(Math.floor(middle)) + at(Math.ceil(middle))) / 2,
    least: at(0),
    most: at(sorted.length - 1),
  };
}
