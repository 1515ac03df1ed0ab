import type { Floor } from './floor.ts';
import { type Measured, spread } from './measure.ts';

/** One figure of one scenario, for all engines. */
export interface Row {
  readonly scenario: string;
  readonly label: string;
  readonly unit: 'ms' | 'MB';
  readonly promise: number | undefined;
  readonly limit: number | undefined;
  /** By engine, in rounds. */
  readonly values: Readonly<Record<string, readonly number[]>>;
}

export function rowsOf({ scenario, samples }: Measured): Row[] {
  return scenario.figures.map(({ key, label, unit, promise, limit }) => ({
    scenario: scenario.name,
    label,
    unit,
    promise,
    limit,
    values: Object.fromEntries(
      [...samples].map(([engine, list]) => [engine, list.map((sample) => sample[key] ?? Number.NaN)]),
    ),
  }));
}

/** Median of cryopod's rounds against the peer's. */
export const ratioOf = (row: Row, engine: string, peer: string): number =>
  spread(row.values[engine] ?? []).median / spread(row.values[peer] ?? []).median;

const number = (value: number): string => (value < 10 ? value.toFixed(1) : value.toFixed(0));

function cell(values: readonly number[]): string {
  const { median, least, most } = spread(values);
  return `${number(median)} (${number(least)}–${number(most)})`;
}

/** A Markdown table: medians with their spread, and the ratio to the first peer against what is promised. */
export function table(rows: readonly Row[], engines: readonly string[]): string {
  const [own = '', ...peers] = engines;
  const head = ['what', 'unit', ...engines, ...peers.map((peer) => `ratio to ${peer}`), 'promise'];
  const body = rows.map((row) => [
    row.label,
    row.unit,
    ...engines.map((engine) => cell(row.values[engine] ?? [])),
    ...peers.map((peer) => ratioOf(row, own, peer).toFixed(2)),
    promised(row, own, peers),
  ]);
  const lines = [head, head.map(() => '---'), ...body].map((cells) => `| ${cells.join(' | ')} |`);
  return `${lines.join('\n')}\n`;
}

function promised(row: Row, own: string, peers: readonly string[]): string {
  const [peer] = peers;
  const isMet = (met: boolean): string => (met ? 'met' : '**not met**');
  const said: string[] = [];
  if (row.promise !== undefined && peer !== undefined) {
    said.push(`≤ ${row.promise} ${isMet(ratioOf(row, own, peer) <= row.promise)}`);
  }
  if (row.limit !== undefined) {
    said.push(`≤ ${row.limit} ${row.unit} ${isMet(spread(row.values[own] ?? []).median <= row.limit)}`);
  }
  return said.join(', ');
}

export const floorTable = (floor: readonly Floor[]): string =>
  [
    '| the parts alone | ms |',
    '| --- | --- |',
    ...floor.map((part) => `| ${part.label} | ${part.milliseconds.toFixed(0)} |`),
  ].join('\n');
