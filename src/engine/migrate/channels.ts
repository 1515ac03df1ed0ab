/** Channels of a wire, each for one kind of data. */
export const CHANNEL = {
  /** Contents of members, from the source to the target. */
  members: 1,
  /** Between the two ends of CRIU's page server, both ways (post-copy). */
  pages: 2,
} as const;
