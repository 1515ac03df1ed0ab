import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { Agent, get } from 'node:http';
import { join } from 'node:path';
import type { Sandbox } from '../fixtures/sandbox.ts';
import { type Endpoint, PUBLISHED, until } from './support.ts';

/** Requests that each client must have had answered between two freezes. */
export const BETWEEN = 20;
/** Sizes of the files that nginx serves: one packet, and more than fits into a socket's buffer. */
const SIZES = [100, 4_000_000];

/** nginx that serves what is in a directory of the host, or in a volume. */
export async function startNginx(box: Sandbox, source: string, reach = PUBLISHED): Promise<Endpoint> {
  const volume = `${source}:/usr/share/nginx/html:ro`;
  const options = ['-d', '--name', 'nginx', ...reach.options(80), '-v', volume];
  await box.ok(['run', ...options, await box.image('nginx'), 'nginx']);
  const endpoint = await reach.endpoint(box, 'nginx', 80);
  const agent = new Agent();
  await until('the server answers', () =>
    ask(`${urlOf(endpoint)}/`, agent).then(
      () => true,
      () => false,
    ),
  );
  return endpoint;
}

export const urlOf = ({ host, port }: Endpoint): string => `http://${host}:${port}`;

/** One client whose requests share a connection, and one whose requests have a connection each. */
export function startClients(url: string, files: ReadonlyMap<string, string>): Clients {
  const once = new Agent();
  const kept = new Agent({ keepAlive: true, maxSockets: 1 });
  const steady = startClient(url, files, kept);
  const fresh = startClient(url, files, once);
  const both = [steady, fresh];
  return {
    more: () => moreAnswers(both),
    finish: async () => {
      for (const client of both) await client.finish();
      for (const { seen } of both) assert.equal(seen.wrong, undefined);
      assert.equal(steady.seen.ports.size, 1, 'the connection is the one it was');
      assert.ok(fresh.seen.ports.size > BETWEEN, 'requests have connections of their own');
      const longest = Math.round(Math.max(...both.map(({ seen }) => seen.longest)));
      return `${steady.seen.answered} requests over one connection, ${fresh.seen.answered} over new ones, longest ${longest} ms`;
    },
    close: async () => {
      // A request to a server that stayed frozen would never end.
      for (const agent of [once, kept]) agent.destroy();
      for (const client of both) await client.finish();
    },
  };
}

interface Clients {
  /** Waits until each has had many answers more. */
  readonly more: () => Promise<void>;
  /** Lets the requests that are under way end; fails where an answer was wrong. Says what was seen. */
  readonly finish: () => Promise<string>;
  readonly close: () => Promise<void>;
}

/** Name → SHA-256 of each file that nginx shall serve. */
export async function writeFiles(directory: string): Promise<ReadonlyMap<string, string>> {
  await mkdir(directory, { mode: 0o755, recursive: true });
  const files = new Map<string, string>();
  for (const size of SIZES) {
    const body = randomBytes(size);
    await writeFile(join(directory, `${size}.bin`), body, { mode: 0o644 });
    files.set(`${size}.bin`, hashOf([body]));
  }
  return files;
}

function hashOf(parts: readonly Buffer[]): string {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part);
  return hash.digest('hex');
}

interface Answer {
  readonly status: number | undefined;
  /** SHA-256 of the body. */
  readonly hash: string;
  /** The client's port of the connection. */
  readonly localPort: number | undefined;
}

/** One request; rejects where the connection fails, at any time. It has no limit of time: a frozen server is silent. */
function ask(url: string, agent: Agent): Promise<Answer> {
  return new Promise((resolve, reject) => {
    get(url, { agent }, (response) => {
      const { localPort } = response.socket;
      const parts: Buffer[] = [];
      response.on('data', (part: Buffer) => parts.push(part));
      response.on('error', reject);
      response.on('end', () => resolve({ status: response.statusCode, hash: hashOf(parts), localPort }));
    }).on('error', reject);
  });
}

/** What a client has seen. */
interface Seen {
  answered: number;
  /** Milliseconds of the request that took longest. */
  longest: number;
  /** The first request that failed or had a wrong answer. */
  wrong: string | undefined;
  readonly ports: Set<number | undefined>;
}

interface Client {
  readonly seen: Readonly<Seen>;
  /** Lets the request that is under way end. */
  readonly finish: () => Promise<void>;
}

/** Asks for one file after the other, each as soon as the one before is there, until it is stopped or one fails. */
function startClient(url: string, files: ReadonlyMap<string, string>, agent: Agent): Client {
  const seen: Seen = { answered: 0, longest: 0, wrong: undefined, ports: new Set() };
  const names = [...files.keys()];
  let stopped = false;
  const talk = async (): Promise<void> => {
    while (!stopped && seen.wrong === undefined) {
      const name = names[seen.answered % names.length] ?? '';
      const begun = performance.now();
      try {
        const { status, hash, localPort } = await ask(`${url}/${name}`, agent);
        if (status !== 200 || hash !== files.get(name))
          seen.wrong = `${name}: status ${status}, hash ${hash}`;
        seen.ports.add(localPort);
        seen.answered += 1;
      } catch (error) {
        seen.wrong = `${name} after ${seen.answered} answers: ${String(error)}`;
      }
      seen.longest = Math.max(seen.longest, performance.now() - begun);
    }
  };
  const talking = talk();
  return {
    seen,
    finish: async () => {
      stopped = true;
      await talking;
    },
  };
}

/** Waits until each client has had many answers more. */
async function moreAnswers(clients: readonly Client[]): Promise<void> {
  const before = clients.map(({ seen }) => seen.answered);
  const failed = (): boolean => clients.some(({ seen }) => seen.wrong !== undefined);
  await until(
    'requests are answered',
    () => failed() || clients.every(({ seen }, index) => seen.answered >= (before[index] ?? 0) + BETWEEN),
  );
  assert.deepEqual(
    clients.map(({ seen }) => seen.wrong),
    clients.map(() => undefined),
  );
}
