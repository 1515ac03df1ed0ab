import { readSync } from 'node:fs';
import { errnoOf } from '../model/errors.ts';
import type { CliContext } from './context.ts';

/** Asks on stdout and reads one line from stdin. True only for an answer that begins with y; end of input means no. */
export function confirm(ctx: CliContext): boolean {
  ctx.print('Are you sure you want to continue? [y/N] ');
  return /^\s*y/i.test(readLine());
}

function readLine(): string {
  const byte = Buffer.alloc(1);
  let line = '';
  while (readByte(byte) && byte[0] !== 0x0a) line += byte.toString('latin1');
  return line;
}

function readByte(byte: Buffer): boolean {
  try {
    return readSync(0, byte) === 1;
  } catch (error) {
    if (errnoOf(error) === 'EOF') return false;
    throw error;
  }
}
