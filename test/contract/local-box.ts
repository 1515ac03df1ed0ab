import { spawn } from 'node:child_process';
import { rmSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface Result {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Sandbox {
  readonly directory: string;
  readonly root: string;
  readonly archive: string;
  readonly cryopod: (args: readonly string[], env?: Record<string, string>) => Promise<Result>;
  readonly ok: (args: readonly string[]) => Promise<string>;
}

function exec(command: readonly string[], env: Record<string, string> = {}): Promise<Result> {
  const [program = '', ...args] = command;
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, ...env },
    });
    let stdout = '';
    let stderr = '';
    child.stdout.on('data', (data) => (stdout += data));
    child.stderr.on('data', (data) => (stderr += data));
    child.on('error', reject);
    child.on('close', (code) => resolve({ code: code ?? -1, stdout, stderr }));
  });
}

const program = join(import.meta.dirname, '../../bin/cryopod');

let built: Promise<string> | undefined;

async function buildArchive(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'cryopod-image-'));
  process.on('exit', () => rmSync(directory, { recursive: true, force: true }));
  const path = join(directory, 'busybox.tar');
  const script = join(import.meta.dirname, '../../scripts/base-image.sh');
  const result = await exec(['sh', script, 'busybox', path, '/usr/bin/flock']);
  if (result.code !== 0) throw new Error(result.stderr);
  return path;
}

/** Busybox and flock. */
function archive(): Promise<string> {
  built ??= buildArchive();
  return built;
}

export async function withSandbox(work: (box: Sandbox) => Promise<void>): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), 'cryopod-contract-'));
  const store = ['--root', join(directory, 'root'), '--runroot', join(directory, 'run')];
  const cryopod: Sandbox['cryopod'] = (args, env) => exec([program, ...store, ...args], env);
  const ok: Sandbox['ok'] = async (args) => {
    const result = await cryopod(args);
    if (result.code !== 0)
      throw new Error(`cryopod ${args.join(' ')} ended with ${result.code}: ${result.stderr}`);
    return result.stdout.trim();
  };
  try {
    await ok(['import', '-q', await archive(), 'localhost/busybox:latest']);
    await work({ directory, root: join(directory, 'root'), archive: await archive(), cryopod, ok });
  } finally {
    await cryopod(['rm', '-f', '-t', '0', '-a']);
    await cryopod(['network', 'prune', '-f']);
    await rm(directory, { recursive: true, force: true });
  }
}
