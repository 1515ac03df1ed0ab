import { closeSync, read, write } from 'node:fs';

/** Both ways of a blocking descriptor, through threads of the runtime's pool: of a socket, which has no path to open. */
export interface DescriptorStream {
  /** The next bytes, at most 64 KiB; undefined at the end. One call at a time; it keeps a thread while nothing comes. */
  readonly read: () => Promise<Buffer | undefined>;
  /** One call at a time. */
  readonly write: (bytes: Buffer) => Promise<void>;
  /** Nothing may be under way then. */
  readonly close: () => void;
}

const MOST_BYTES = 64 << 10;

export function streamOf(fd: number): DescriptorStream {
  return {
    read: () =>
      new Promise((resolve, reject) => {
        const bytes = Buffer.allocUnsafeSlow(MOST_BYTES);
        read(fd, bytes, 0, bytes.length, null, (error, count) => {
          if (error !== null) reject(error);
          else resolve(count === 0 ? undefined : bytes.subarray(0, count));
        });
      }),
    write: async (bytes) => {
      for (let done = 0; done < bytes.length; ) {
        done += await new Promise<number>((resolve, reject) => {
          write(fd, bytes, done, bytes.length - done, null, (error, count) => {
            if (error !== null) reject(error);
            else resolve(count);
          });
        });
      }
    },
    close: () => closeSync(fd),
  };
}
