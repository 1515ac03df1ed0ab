import { type Finding, roughly, warning } from '../preflight/finding.ts';

export interface Room {
  /** About what is to come, uncompressed bytes. */
  readonly bytes: { readonly memory: number; readonly files: number };
  /** Bytes. */
  readonly free: number;
  readonly directory: string;
}

/**
 * What the preflight of an import has found at the target of a move, which knows more of what will come. Memory is an upper
 * bound, since processes share it, and so are files with holes: what does not fit by them may still fit. Pure.
 */
export const arrivalFindings = (found: readonly Finding[], { bytes, free, directory }: Room): Finding[] => {
  const needed = bytes.memory + bytes.files;
  if (needed <= free) return [...found];
  const sentence = `memory and files take up to ${roughly(needed)}, and ${directory} has ${roughly(free)} free`;
  const room = warning('space', sentence, 'Free some space there, or give a --root on a larger file system.');
  return found.map((finding) => (finding.check === 'space' && finding.level === 'ok' ? room : finding));
};
