import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { fail } from '../../src/model/errors.ts';
import { waitFor } from '../../src/system/clock.ts';
import { LIMIT_MS } from '../fixtures/limit.ts';

/** What the registry asks for, where it asks for anything. */
export const CREDENTIALS = 'tester:frozen-secret';
/** bcrypt of the password above: docker-registry reads no other hash. */
const HTPASSWD = 'tester:$2b$05$abcdefghijklmnopqrstuugrGDWT7e4tnzUSQtIX5v6AFMqme/mBa\n';

/**
 * Starts docker-registry on loopback with an empty store and returns HOST:PORT. It ends, and its files go, with the test.
 */
export async function startRegistry(t: TestContext, { auth = false } = {}): Promise<string> {
  const directory = mkdtempSync(join(tmpdir(), 'cryopod-registry-'));
  const address = `127.0.0.1:${await freePort()}`;
  const config = {
    version: '0.1',
    log: { level: 'error' },
    storage: { filesystem: { rootdirectory: join(directory, 'store') } },
    http: { addr: address },
    ...(auth ? { auth: { htpasswd: { realm: 'test', path: join(directory, 'htpasswd') } } } : {}),
  };
  writeFileSync(join(directory, 'htpasswd'), HTPASSWD);
  // JSON is YAML too.
  writeFileSync(join(directory, 'config.yml'), JSON.stringify(config));
  const child = spawn('docker-registry', ['serve', join(directory, 'config.yml')], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  t.after(async () => {
    await end(child);
    rmSync(directory, { recursive: true, force: true });
  });
  let said = '';
  child.stderr.on('data', (chunk: Buffer) => {
    said += chunk.toString('utf8');
  });
  const answers = await waitFor(async () => (child.exitCode === null ? await isUp(address) : true), LIMIT_MS);
  if (answers === undefined || child.exitCode !== null) {
    fail('PROGRAM_FAILED', { message: `docker-registry did not start: ${said}` });
  }
  return address;
}

/** A port on loopback that nobody listens on now. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

async function isUp(address: string): Promise<boolean> {
  return fetch(`http://${address}/v2/`).then(
    ({ status }) => status === 200 || status === 401,
    () => false,
  );
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, 'exit');
  child.kill('SIGTERM');
  await ended;
}
