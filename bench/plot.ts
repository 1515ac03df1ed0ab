import { spread } from './measure.ts';
import type { Row } from './report.ts';

const WIDTH = 860;
const LABEL = 330;
const BAR = 14;
const COLOURS = ['#1f6f8b', '#c9c9c9', '#e0b060'];

/** Bars of the medians, each row scaled to its slowest engine, with a mark where the promise lies. SVG text. */
export function plot(rows: readonly Row[], engines: readonly string[]): string {
  const height = engines.length * BAR + 16;
  const parts = rows.map((row, index) => group(row, engines, 40 + index * height));
  const legend = engines.map(
    (engine, index) =>
      `<rect x="${LABEL + index * 160}" y="12" width="12" height="12" fill="${colour(index)}"/>` +
      `<text x="${LABEL + 18 + index * 160}" y="22">${xml(engine)}</text>`,
  );
  const size = `width="${WIDTH}" height="${50 + rows.length * height}"`;
  return `<svg xmlns="http://www.w3.org/2000/svg" ${size} font-family="sans-serif" font-size="12">
<rect width="100%" height="100%" fill="white"/>
${[...legend, ...parts].join('\n')}
</svg>
`;
}

const colour = (index: number): string => COLOURS[index % COLOURS.length] ?? 'black';

function group(row: Row, engines: readonly string[], top: number): string {
  const medians = engines.map((engine) => spread(row.values[engine] ?? []).median);
  const scale = (WIDTH - LABEL - 110) / Math.max(...medians);
  const bars = medians.map((median, index) => {
    const y = top + index * BAR;
    const width = median * scale;
    return (
      `<rect x="${LABEL}" y="${y}" width="${width.toFixed(1)}" height="${BAR - 3}" fill="${colour(index)}"/>` +
      `<text x="${(LABEL + width + 5).toFixed(1)}" y="${y + 10}">${median.toFixed(median < 10 ? 1 : 0)} ${row.unit}</text>`
    );
  });
  const peer = medians[1];
  const at = row.promise === undefined || peer === undefined ? undefined : LABEL + peer * row.promise * scale;
  const mark =
    at === undefined
      ? ''
      : `<line x1="${at.toFixed(1)}" x2="${at.toFixed(1)}" y1="${top - 3}" y2="${top + BAR}" stroke="#b00020" stroke-width="2"/>`;
  return `<text x="8" y="${top + 14}">${xml(row.label)}</text>${bars.join('')}${mark}`;
}

const xml = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
