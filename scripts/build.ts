import { mkdir, rename, rm, utimes, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { build } from 'esbuild';

/**
 * `npm run build [DIRECTORY]`: bundles src/main.ts into dist/, where bin/cryopod prefers it while no source is newer.
 *
 * One CommonJS file starts several times faster than the sources: nothing to strip, one file to read, and V8 keeps
 * its compiled code between runs. Command modules stay lazy: esbuild turns `await import()` into a function that
 * runs the module on first use.
 */
const root = dirname(import.meta.dirname);
const dist = process.argv[2] ?? join(root, 'dist');

// The entry is apart from the bundle because the cache must be on before the bundle is compiled.
const ENTRY = `'use strict';
require('node:module').enableCompileCache(require('node:path').join(__dirname, 'compiled'));
require('./main.cjs');
`;

/** Files of dist/ and the sources that they start from. Threads need a file of their own. */
const BUNDLES = { 'main.cjs': 'src/main.ts', 'delta-worker.cjs': 'src/criu/delta/worker.ts' };

async function main(): Promise<void> {
  const started = new Date();
  const sources = new Set<string>();
  await rm(join(dist, 'compiled'), { recursive: true, force: true });
  for (const [name, entry] of Object.entries(BUNDLES)) {
    const { text, inputs } = await bundle(entry);
    for (const path of inputs) if (path.startsWith('src/')) sources.add(path);
    await publish(name, text, started);
  }
  // The names hold no spaces or quotes: they are those of this repository.
  await publish('sources.sh', `sources='${[...sources].join(' ')}'\n`, started);
  // Last: its time is what bin/cryopod compares with the sources'.
  await publish('cryopod.cjs', ENTRY, started);
}

/** One program with all that it imports, and the names of its sources. */
async function bundle(entry: string): Promise<{ text: string; inputs: string[] }> {
  const result = await build({
    entryPoints: [join(root, entry)],
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
  const file = result.outputFiles[0];
  if (file === undefined) throw new Error('esbuild wrote no bundle');
  return { text: file.text, inputs: Object.keys(result.metafile.inputs) };
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
