/** Pages that a process lacks, one after the other in both numberings. `end`: the page after the last one. */
export interface Piece {
  readonly start: number;
  readonly end: number;
  /** Number of the first page in the images; memory may have been moved since. */
  readonly image: number;
}

/** The pages that a process lacks; all numbers are addresses divided by the size of a page. */
export interface Missing {
  /** The piece that a page lies in. */
  readonly at: (page: number) => Piece | undefined;
  /** The first piece that does not end before `page`. */
  readonly from: (page: number) => Piece | undefined;
  /** Parts of pieces whose numbers in the images lie between these two, the second not included. */
  readonly ofImage: (from: number, to: number) => Piece[];
  /** Pages of [from, to) are not missing any more: they came, or nobody wants them. */
  readonly drop: (from: number, to: number) => void;
  /** mremap(2): what was at `from` is at `to`. */
  readonly move: (from: number, to: number, pages: number) => void;
  readonly isEmpty: () => boolean;
  /** As it is now, for a child. */
  readonly copy: () => Missing;
}

const cut = ({ start, end, image }: Piece, from: number, to: number): Piece => {
  const first = Math.max(start, from);
  return { start: first, end: Math.min(end, to), image: image + first - start };
};

/** `pieces` in order, none of which overlap. */
export function missingPages(pieces: readonly Piece[]): Missing {
  const all = [...pieces];
  /** Index of the first piece that ends after `page`. */
  const indexOf = (page: number): number => {
    let low = 0;
    for (let high = all.length; low < high; ) {
      const middle = (low + high) >> 1;
      if ((all[middle] as Piece).end <= page) low = middle + 1;
      else high = middle;
    }
    return low;
  };
  /** Takes out what lies in [from, to), and gives it. */
  const extract = (from: number, to: number): Piece[] => {
    const first = indexOf(from);
    let last = first;
    while (last < all.length && (all[last] as Piece).start < to) last += 1;
    const touched = all.slice(first, last);
    const left = touched.flatMap((piece) =>
      [cut(piece, 0, from), cut(piece, to, Number.POSITIVE_INFINITY)].filter(({ start, end }) => start < end),
    );
    all.splice(first, last - first, ...left);
    return touched.map((piece) => cut(piece, from, to));
  };
  return {
    at: (page) => {
      const piece = all[indexOf(page)];
      return piece !== undefined && piece.start <= page ? piece : undefined;
    },
    from: (page) => all[indexOf(page)],
    ofImage: (from, to) =>
      all.flatMap((piece) => {
        const shift = piece.start - piece.image;
        const part = cut(piece, from + shift, to + shift);
        return part.start < part.end ? [part] : [];
      }),
    drop: (from, to) => {
      extract(from, to);
    },
    move: (from, to, pages) => {
      const moved = extract(from, from + pages);
      // What was mapped there is gone.
      extract(to, to + pages);
      const shifted = moved.map(({ start, end, image }) => ({
        start: start + to - from,
        end: end + to - from,
        image,
      }));
      all.splice(indexOf(to), 0, ...shifted);
    },
    isEmpty: () => all.length === 0,
    copy: () => missingPages(all),
  };
}
