import { readFileSync } from 'node:fs';
import { unpackArchive } from '../../src/archive/reader.ts';
import { CryopodError } from '../../src/model/errors.ts';

/** Unpacks `ARCHIVE` into `DIRECTORY` with room for `BYTES`, and tells how that ended and the most memory it took. */
const [archive = '', directory = '', bytes = '0'] = process.argv.slice(2);

async function outcome(): Promise<string> {
  try {
    await unpackArchive({
      source: { path: archive },
      directory,
      wants: (name) => name !== 'rootfs-diff.tar',
      maxBytes: Number(bytes),
    });
    return 'ok';
  } catch (error) {
    if (error instanceof CryopodError) return error.code;
    throw error;
  }
}

const result = await outcome();
const peak = /VmHWM:\s+(\d+) kB/.exec(readFileSync('/proc/self/status', 'utf8'))?.[1];
process.stdout.write(JSON.stringify({ result, peak: Number(peak) * 1024 }));
