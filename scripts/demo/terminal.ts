import { spawn } from 'node:child_process';
import { styleText } from 'node:util';

/** Prints a step of the story: what, the command a user would type if there is one, and its figures. */
export function step(name: string, text: string, figures: readonly string[] = []): void {
  const tail = figures.length === 0 ? '' : `  ${styleText('green', figures.join(', '))}`;
  console.log(`${styleText('bold', name.padEnd(8))}${text}${tail}`);
}

export const seconds = (milliseconds: number): string => `${(milliseconds / 1000).toFixed(2)} s`;
export const megabytes = (bytes: number): string => `${(bytes / 1e6).toFixed(1)} MB`;
export const count = (value: number): string => value.toLocaleString('en-US');

/** Runs a program; gives its standard output and how long it took. Throws with its last words if it fails. */
export async function command(argv: readonly [string, ...string[]]): Promise<{ out: string; took: number }> {
  const started = performance.now();
  const [program, ...args] = argv;
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  const { promise, resolve, reject } = Promise.withResolvers<number | string>();
  child.once('error', reject).once('close', (status, signal) => resolve(status ?? signal ?? 'unknown'));
  const [status, out, complaint] = await Promise.all([promise, textOf(child.stdout), textOf(child.stderr)]);
  if (status !== 0) throw new Error(`${argv.join(' ')} ended with ${status}: ${complaint.trim()}`);
  return { out: out.trim(), took: performance.now() - started };
}

async function textOf(stream: NodeJS.ReadableStream): Promise<string> {
  let text = '';
  for await (const chunk of stream) text += String(chunk);
  return text;
}
