import type { AreaRow, MemoryRow, Owner } from '../../engine/checkpoint-view/memory.ts';
import { binarySize } from '../render/human.ts';
import { printable, renderTable } from '../render/table.ts';

export const address = (value: bigint): string => value.toString(16).padStart(16, '0');

/** checkpointctl's table of memparse. */
export const memoryTableText = (rows: readonly MemoryRow[]): string =>
  renderTable(
    ['PID', 'PROCESS NAME', 'MEMORY SIZE', 'SHARED MEMORY SIZE'],
    rows.map(({ pid, name, memoryBytes, sharedBytes }) => [
      String(pid),
      name,
      binarySize(memoryBytes),
      binarySize(sharedBytes),
    ]),
  );

export const areasText = (rows: readonly AreaRow[]): string =>
  renderTable(
    ['ADDRESS', 'END', 'ACCESS', 'SIZE', 'SAVED', 'WHAT'],
    rows.map(({ area, label, savedBytes }) => [
      address(area.start),
      address(area.end),
      area.access,
      binarySize(Number(area.end - area.start)),
      binarySize(savedBytes),
      label,
    ]),
  );

/** Bytes as text; what cannot be printed is a dot, as in a hex dump. */
export const asText = (bytes: Uint8Array): string =>
  Buffer.from(bytes)
    .toString('latin1')
    .replace(/[^ -~]/g, '.');

const NAME_WIDTH = 15;

/** A line of a table that is printed while it is made: its columns cannot wait for the widest cell. */
export const foundLine = ({ pid, name }: Owner, at: bigint, text: string): string =>
  `${String(pid).padEnd(8)}${printable(name).padEnd(NAME_WIDTH)}  ${address(at)}  ${text}\n`;

export const FOUND_HEADINGS = `${'PID'.padEnd(8)}${'PROCESS'.padEnd(NAME_WIDTH)}  ${'ADDRESS'.padEnd(16)}  `;

export const DUMP_HEADINGS = `${'Address'.padEnd(16)}  ${'Hexadecimal'.padEnd(48)} ASCII\n${'-'.repeat(85)}\n`;

const ROW_BYTES = 16;

export interface DumpState {
  /** Content of the row before, in hexadecimal. */
  previous: string;
  repeated: boolean;
}

/**
 * A piece of memory as checkpointctl's memparse dumps it: 16 bytes a line. With `state`, lines equal to the one before
 * become one `*`.
 */
export function hexDump(start: bigint, bytes: Buffer, state: DumpState | undefined): string {
  const lines: string[] = [];
  for (let at = 0; at < bytes.length; at += ROW_BYTES) {
    const row = bytes.subarray(at, at + ROW_BYTES);
    const hex = row.toString('hex');
    if (state !== undefined) {
      const same = hex === state.previous;
      if (same && !state.repeated) lines.push('*\n');
      state.previous = hex;
      state.repeated = same;
      if (same) continue;
    }
    const pairs = hex.replace(/../g, '$& ').padEnd(3 * ROW_BYTES);
    lines.push(`${address(start + BigInt(at))}  ${pairs} |${asText(row)}|\n`);
  }
  return lines.join('');
}
