import { readFileSync } from 'node:fs';

/** A processor, as the kernel shows it to programs. */
export interface Cpu {
  readonly model: string;
  /** x86: flags of /proc/cpuinfo; arm64: its Features. */
  readonly flags: readonly string[];
}

/** The first processor of /proc/cpuinfo. A flag counts only where all processors have it (arm64 mixes kinds of cores). */
export function hostCpu(): Cpu {
  return parseCpuInfo(readFileSync('/proc/cpuinfo', 'utf8'));
}

/** Reads the text of /proc/cpuinfo. */
export function parseCpuInfo(text: string): Cpu {
  const lists = [...text.matchAll(/^(?:flags|Features)\s*: (.*)$/gm)].map(([, list = '']) =>
    list.trim().split(/\s+/),
  );
  const [first = [], ...others] = lists;
  const sets = [...new Set(others.map((list) => list.join(' ')))].map((list) => new Set(list.split(' ')));
  return {
    model: /^(?:model name|CPU part)\s*: (.*)$/m.exec(text)?.[1]?.trim() ?? 'unknown',
    flags: first.filter((flag) => flag !== '' && sets.every((set) => set.has(flag))),
  };
}
