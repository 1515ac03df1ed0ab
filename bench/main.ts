import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { availableParallelism, cpus, release, tmpdir, totalmem } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { enterHostNamespace } from '../test/fixtures/host-namespace.ts';
import { type OpenEngine, openCryopod, openPodman } from './engines.ts';
import { type Floor, measureFloor } from './floor.ts';
import { type Measured, measure, type Scenario } from './measure.ts';
import { migrationRows } from './migrate/main.ts';
import { plot } from './plot.ts';
import { floorTable, type Row, rowsOf, table } from './report.ts';
import { lazy } from './scenarios/lazy.ts';
import { lists } from './scenarios/lists.ts';
import { many } from './scenarios/many.ts';
import { memory } from './scenarios/memory.ts';
import { processes } from './scenarios/processes.ts';
import { small } from './scenarios/small.ts';

const SCENARIOS: readonly Scenario[] = [
  small,
  lists(50),
  ...[1, 20, 50].map(many),
  ...[1, 10, 50].map(processes),
  ...[1024, 4096].map(lazy),
  ...[64, 256, 1024, 4096].map(memory),
];
const DEFAULT = SCENARIOS.map(({ name }) => name).join(',');

const HELP = `npm run bench -- [--rounds N] [--peer PATH]... [--only NAME,...] [--directory DIR] [--name NAME]

Measures cryopod beside a real podman: same runtime, CRIU, cgroup manager and file system, rounds in turn, one round of
each to warm up. Prints medians with their spread and writes them into bench/results/NAME.{json,md,svg}.

  --rounds N       counted rounds (5; at most 3 where nothing is promised)
  --peer PATH      a podman to compare with; may be repeated (podman from PATH)
  --only NAMES     of the scenarios ${DEFAULT} (all, a quarter of an hour);
                   and migrate: between two hosts, in all modes (8 minutes)
  --directory DIR  where the stores lie (a new directory in TMPDIR)
  --name NAME      of the results (latest)
`;

interface Choice {
  readonly rounds: number;
  readonly peers: readonly string[];
  readonly only: readonly string[];
  readonly directory: string | undefined;
  readonly name: string;
}

function choose(): Choice | undefined {
  const { values } = parseArgs({
    options: {
      rounds: { type: 'string', default: '5' },
      peer: { type: 'string', multiple: true, default: ['podman'] },
      only: { type: 'string', default: DEFAULT },
      directory: { type: 'string' },
      name: { type: 'string', default: 'latest' },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) return undefined;
  return {
    rounds: Number(values.rounds),
    peers: values.peer,
    only: values.only.split(','),
    directory: values.directory,
    name: values.name,
  };
}

async function main(): Promise<void> {
  const choice = choose();
  if (choice === undefined) {
    process.stdout.write(HELP);
    return;
  }
  await enterHostNamespace();
  const directory = await mkdtemp(join(choice.directory ?? tmpdir(), 'cryopod-bench-'));
  const engines: OpenEngine[] = [];
  try {
    engines.push(await openCryopod(join(directory, 'cryopod')));
    for (const [index, peer] of choice.peers.entries()) {
      engines.push(await openPodman(join(directory, `peer${index}`), peer));
    }
    const rows = await allRows(choice, engines);
    const [cryopod] = engines;
    const floor = cryopod === undefined ? [] : await measureFloor(cryopod, 1024);
    await writeResults(choice, engines, rows, floor);
  } finally {
    for (const engine of engines.toReversed()) await engine.close();
    await rm(directory, { recursive: true, force: true });
  }
}

async function allRows({ only, rounds, peers }: Choice, engines: readonly OpenEngine[]): Promise<Row[]> {
  const rows: Row[] = [];
  for (const name of only) {
    if (name === 'migrate') {
      rows.push(...(await migration({ rounds, peers }, engines)));
      continue;
    }
    const scenario = SCENARIOS.find((known) => known.name === name);
    if (scenario === undefined) throw new Error(`no scenario ${name}\n\n${HELP}`);
    const measured: Measured = await measure(scenario, engines, rounds, (engine, round, sample) => {
      const figures = Object.entries(sample).map(([key, value]) => `${key} ${value.toFixed(0)}`);
      process.stderr.write(`${name} round ${round} ${engine}: ${figures.join(', ')}\n`);
    });
    rows.push(...rowsOf(measured));
  }
  return rows;
}

/** Not an engine by the side of another one: it needs two hosts, and each way of moving has two of them. */
async function migration(
  { rounds, peers }: Pick<Choice, 'rounds' | 'peers'>,
  engines: readonly OpenEngine[],
): Promise<Row[]> {
  const peer = engines.find(({ isPeer }) => isPeer)?.name ?? '';
  return await migrationRows({ rounds, mebibytes: 1024, podman: peers[0] ?? 'podman', peer, modes: [] });
}

async function writeResults(
  { name, rounds }: Choice,
  engines: readonly OpenEngine[],
  rows: readonly Row[],
  floor: readonly Floor[],
): Promise<void> {
  const names = engines.map((engine) => engine.name);
  const machine = {
    date: new Date().toISOString().slice(0, 10),
    kernel: release(),
    processor: cpus()[0]?.model ?? '',
    cores: availableParallelism(),
    memory: totalmem(),
    node: process.version,
  };
  const heading = `${machine.date}, ${machine.cores} × ${machine.processor}, kernel ${machine.kernel}, ${rounds} rounds: median (least–most)`;
  const text = `${heading}\n\n${table(rows, names)}\n${floorTable(floor)}\n`;
  const results = join(import.meta.dirname, 'results');
  await mkdir(results, { recursive: true });
  await writeFile(
    join(results, `${name}.json`),
    `${JSON.stringify({ machine, rounds, engines: names, rows, floor }, null, 2)}\n`,
  );
  await writeFile(join(results, `${name}.md`), text);
  await writeFile(join(results, `${name}.svg`), plot(rows, names));
  process.stdout.write(text);
}

await main();
