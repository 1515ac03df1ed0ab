/** Where columns begin at the earliest, and the spaces between them, as in podman's tables. */
const MIN_WIDTH = 12;
const PADDING = 2;

/** Columns that a text takes on a terminal: code points, but not those that combine with the one before. */
const width = (text: string): number => [...text.replace(/[\p{Mn}\p{Me}\p{Cf}]/gu, '')].length;

/**
 * Pads cells so that the columns line up, as Go's text/tabwriter does: a cell that a tab ends belongs to a column,
 * and a column is as wide as its widest cell among neighbouring lines. The last cell of a line is never padded.
 */
function pad(lines: string[][], from: number, to: number, column: number): void {
  let start = from;
  while (start < to) {
    const inColumn = (line: number): boolean => (lines[line]?.length ?? 0) > column + 1;
    if (!inColumn(start)) {
      start++;
      continue;
    }
    let end = start;
    while (end < to && inColumn(end)) end++;
    const block = lines.slice(start, end);
    const size = Math.max(MIN_WIDTH, ...block.map((cells) => width(cells[column] ?? '') + PADDING));
    for (const cells of block) cells[column] += ' '.repeat(size - width(cells[column] ?? ''));
    pad(lines, start, end, column + 1);
    start = end;
  }
}

/** Lines whose cells are separated by tabs, lined up. */
export function alignTabs(text: string): string {
  const lines = text.split('\n').map((line) => line.split('\t'));
  pad(lines, 0, lines.length, 0);
  return lines.map((cells) => cells.join('')).join('\n');
}

/** Control characters would break the layout or speak to the terminal: they become `?`, tabs a space. */
export const printable = (cell: string): string => cell.replaceAll('\t', ' ').replace(/\p{Cc}/gu, '?');

export interface TableOptions {
  /** --noheading */
  readonly noheading?: boolean | undefined;
}

/** A table with its headings, one line a row, each ended by a newline. */
export function renderTable(
  headings: readonly string[],
  rows: readonly (readonly string[])[],
  { noheading = false }: TableOptions = {},
): string {
  const body = rows.map((cells) => cells.map(printable).join('\t'));
  const all = noheading ? body : [headings.join('\t'), ...body];
  return all.length === 0 ? '' : `${alignTabs(all.join('\n'))}\n`;
}
