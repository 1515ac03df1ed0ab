/** Counted pages of new images. */
export interface DeltaFigures {
  /** Pages in their own pages files. */
  readonly ownPages: number;
  /** Pages that they take from their parent. */
  readonly parentPages: number;
  /** Bytes of a page. */
  readonly pageBytes: number;
}
