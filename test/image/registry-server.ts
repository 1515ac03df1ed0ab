import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { tempDirectory } from './support.ts';

export interface Registry {
  /** HOST:PORT */
  readonly address: string;
  /** Requests so far, as the registry's log tells them: `GET /v2/… 200`. */
  readonly requests: () => string[];
}

/** The one user of a registry that asks for a login: the password is hashed with bcrypt, all that the registry takes. */
export const LOGIN = { user: 'me', password: 'se:cret' };
const PASSWORD_FILE = 'me:$2b$05$abcdefghijklmnopqrstuuWqeDdmk0qhXLYvA33lbC9M700ynI2Oa\n';

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  return typeof address === 'object' && address !== null ? address.port : 0;
}

/** Debian's docker-registry on a free port of the loopback, plain HTTP; it ends with the test. */
export async function startRegistry(t: TestContext, withLogin = false): Promise<Registry> {
  const directory = tempDirectory(t);
  mkdirSync(join(directory, 'data'));
  const address = `127.0.0.1:${await freePort()}`;
  const config = join(directory, 'config.yml');
  writeFileSync(config, settings(address, directory, withLogin));
  const server = spawn('docker-registry', ['serve', config], { stdio: ['ignore', 'pipe', 'pipe'] });
  const ended = once(server, 'exit');
  t.after(async () => {
    server.kill('SIGKILL');
    await ended;
  });
  const log = collectLines(server);
  const listening = (): boolean => log.some((line) => line.includes('listening on'));
  while (!listening()) {
    if (server.exitCode !== null) throw new Error(`docker-registry ended: ${log.join('\n')}`);
    await Promise.race([once(server.stdout, 'data'), once(server.stderr, 'data'), ended]);
  }
  const request = /http\.request\.method=(\S+).*http\.request\.uri="?([^" ]+)/;
  return {
    address,
    requests: () =>
      log
        .filter((line) => line.includes('response completed'))
        .flatMap((line) => {
          const [, method = '', uri = ''] = request.exec(line) ?? [];
          return method === '' ? [] : [`${method} ${uri}`];
        }),
  };
}

function collectLines(server: ChildProcess): string[] {
  const lines: string[] = [];
  for (const stream of [server.stdout, server.stderr]) {
    stream?.on('data', (chunk: Buffer) => lines.push(...chunk.toString().split('\n')));
  }
  return lines;
}

function settings(address: string, directory: string, withLogin: boolean): string {
  const lines = [
    'version: 0.1',
    'log: { level: info, accesslog: { disabled: true } }',
    `storage: { filesystem: { rootdirectory: ${join(directory, 'data')} } }`,
    `http: { addr: "${address}", secret: not-a-secret }`,
  ];
  if (withLogin) {
    writeFileSync(join(directory, 'htpasswd'), PASSWORD_FILE);
    lines.push(`auth: { htpasswd: { realm: test, path: ${join(directory, 'htpasswd')} } }`);
  }
  return lines.join('\n');
}
