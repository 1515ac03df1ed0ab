import { mkdir, rename, rm, utimes, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { build } from 'esbuild';

/**
 * `npm run build`: bundles src/main.ts into dist/, where bin/cryopod prefers it while no source is newer.
 *
 * One CommonJS file starts several times faster than the sources: nothing to strip, one file to read, and V8 keeps
 * its compiled code between runs. Command modules stay lazy: esbuild turns `await import()` into a function that
 * runs the module on first use.
 */
const root = dirname(import.meta.dirname);
const dist = join(root, 'dist');

// The entry is apart from the bundle because the cache must be on before the bundle is compiled.
const ENTRY = `'use strict';
require('node:module').enableCompileCache(require('node:path').join(__dirname, 'compiled'));
require('./main.cjs');
`;

async function main(): Promise<void> {
  const started = new Date();
  const result = await build({
    entryPoints: [join(root, 'src/main.ts')],
    bundle: true,
    platform: 'node',
    target: 'node24',
    format: 'cjs',
    // koffi finds its native library beside its own package.
    external: ['koffi'],
    minifySyntax: true,
    minifyWhitespace: true,
    // Stack traces and error names stay readable.
    keepNames: true,
    define: {
      'import.meta.url': '__moduleUrl',
      'import.meta.dirname': '__dirname',
      'import.meta.filename': '__filename',
    },
    banner: { js: "const __moduleUrl=require('node:url').pathToFileURL(__filename).href;" },
    absWorkingDir: root,
    write: false,
    metafile: true,
    logLevel: 'warning',
  });
  const bundle = result.outputFiles[0];
  if (bundle === undefined) throw new Error('esbuild wrote no bundle');
  await rm(join(dist, 'compiled'), { recursive: true, force: true });
  await publish('main.cjs', bundle.text, started);
  // The names hold no spaces or quotes: they are those of this repository.
  const sources = Object.keys(result.metafile.inputs).filter((path) => path.startsWith('src/'));
  await publish('sources.sh', `sources='${sources.join(' ')}'\n`, started);
  // Last: its time is what bin/cryopod compares with the sources'.
  await publish('cryopod.cjs', ENTRY, started);
}

/**
 * Writes a file of dist/ so that a cryopod that starts meanwhile sees the old or the new one, never a part. It is
 * dated back to the start of the build: a source that changed since must count as newer.
 */
async function publish(name: string, text: string, date: Date): Promise<void> {
  await mkdir(dist, { recursive: true });
  const temp = join(dist, `${name}.${process.pid}`);
  await writeFile(temp, text);
  await utimes(temp, date, date);
  await rename(temp, join(dist, name));
}

try {
  await main();
} catch (error) {
  // esbuild has printed what is wrong with the sources; anything else is printed here.
  if (!(error instanceof Error && 'errors' in error)) console.error(error);
  process.exitCode = 1;
}
