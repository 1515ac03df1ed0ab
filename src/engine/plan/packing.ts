/** What was measured before a container is sent. */
export interface PackingFacts {
  /** Bytes a second that the link takes. */
  readonly linkRate: number;
  /** Uncompressed bytes a second that zstd takes here. */
  readonly packRate: number;
  /** Compressed bytes for one uncompressed. */
  readonly ratio: number;
}

/** Compressing costs CPU on both sides: it is to win clearly. */
const MARGIN = 0.85;

/** Whether content gets to the other side sooner when it is compressed on the way. Pure. */
export function packsWell({ linkRate, packRate, ratio }: PackingFacts): boolean {
  const plain = 1 / linkRate;
  const packed = Math.max(1 / packRate, ratio / linkRate);
  return packed < plain * MARGIN;
}
