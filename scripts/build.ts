import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rename, rm, utimes, writeFile } from 'node:fs/promises';
import { arch } from 'node:os';
import { dirname, join } from 'node:path';
import { type BuildOptions, build, type Plugin } from 'esbuild';

/**
 * `npm run build [DIRECTORY]`: bundles src/main.ts into dist/, where bin/cryopod prefers it while no source is newer,
 * and compiles the bundle to one executable, which it prefers to Node.
 *
 * One CommonJS file starts several times faster than the sources: nothing to strip, one file to read, and V8 keeps
 * its compiled code between runs. Command modules stay lazy: esbuild turns `await import()` into a function that
 * runs the module on first use. The executable starts faster again, being compiled to byte code already.
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
    const { text, inputs } = await bundle(entry, FOR_NODE);
    for (const path of inputs) if (path.startsWith('src/')) sources.add(path);
    await publish(name, text, started);
  }
  await compile(started);
  // The names hold no spaces or quotes: they are those of this repository.
  await publish('sources.sh', `sources='${[...sources].join(' ')}'\n`, started);
  // Last: its time is what bin/cryopod compares with the sources'.
  await publish('cryopod.cjs', ENTRY, started);
}

const FOR_NODE: BuildOptions = {
  // koffi finds its native library beside its own package.
  external: ['koffi'],
  define: {
    'import.meta.url': '__moduleUrl',
    'import.meta.dirname': '__dirname',
    'import.meta.filename': '__filename',
  },
  banner: { js: "const __moduleUrl=require('node:url').pathToFileURL(__filename).href;" },
};

/** What stays outside of the executable lies beside it: the thread's program, and koffi in the project's packages. */
const besideExecutable: Plugin = {
  name: 'beside the executable',
  setup: ({ onResolve, onLoad }) => {
    onResolve({ filter: /^koffi$/ }, () => ({ path: 'koffi', namespace: 'beside' }));
    onLoad({ filter: /./, namespace: 'beside' }, () => ({
      contents: "module.exports = require('node:module').createRequire(process.execPath)('koffi');",
    }));
  },
};

const FOR_EXECUTABLE: BuildOptions = {
  plugins: [besideExecutable],
  define: { 'import.meta.dirname': '__directory', 'import.meta.filename': 'process.execPath' },
  banner: { js: "const __directory=require('node:path').dirname(process.execPath);" },
};

/** One program with all that it imports, and the names of its sources. */
async function bundle(entry: string, options: BuildOptions): Promise<{ text: string; inputs: string[] }> {
  const result = await build({
    entryPoints: [join(root, entry)],
    bundle: true,
    platform: 'node',
    target: 'node24',
    format: 'cjs',
    minifySyntax: true,
    minifyWhitespace: true,
    // Stack traces and error names stay readable.
    keepNames: true,
    ...options,
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
 * Makes dist/cryopod, one executable of the runtime and the bundle's byte code. Where npm brought no compiler for this
 * machine, or what it makes does not run here, there is none and bin/cryopod takes Node.
 */
async function compile(date: Date): Promise<void> {
  const machine = arch() === 'arm64' ? 'aarch64' : arch();
  const compiler = join(root, `node_modules/@oven/bun-linux-${machine}/bin/bun`);
  const temp = await mkdtemp(join(dist, 'executable-'));
  const program = join(temp, 'cryopod');
  try {
    if (existsSync(compiler)) {
      const { text } = await bundle('src/main.ts', FOR_EXECUTABLE);
      await writeFile(join(temp, 'main.cjs'), text);
      compileWith(compiler, join(temp, 'main.cjs'), program);
    }
    if (spawnSync(program, ['--version']).status === 0) {
      await utimes(program, date, date);
      await rename(program, join(dist, 'cryopod'));
    } else await rm(join(dist, 'cryopod'), { force: true });
  } finally {
    await rm(temp, { recursive: true, force: true });
  }
}

function compileWith(compiler: string, main: string, program: string): void {
  const output = [
    '--format=cjs',
    '--bytecode',
    '--minify-whitespace',
    '--minify-syntax',
    `--outfile=${program}`,
  ];
  // Nothing of the directory in which a command is called may change what it does.
  const closed = ['--no-compile-autoload-dotenv', '--no-compile-autoload-bunfig'];
  const { status, stderr } = spawnSync(compiler, ['build', '--compile', ...output, ...closed, main], {
    encoding: 'utf8',
  });
  if (status !== 0) console.error(stderr);
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
