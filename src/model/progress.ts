/** What long work tells about itself; rendered on a terminal or written as JSON events by the command line. */
export interface ProgressEvent {
  /** What is being done: dump, compress, unpack, pull … */
  readonly phase: string;
  /** What it is done to: a container, an image. */
  readonly subject: string;
  /** Bytes so far. */
  readonly bytes?: number | undefined;
  /** Bytes in all, where known. */
  readonly totalBytes?: number | undefined;
  readonly done?: boolean | undefined;
}

export type Progress = (event: ProgressEvent) => void;

export const silentProgress: Progress = () => undefined;
