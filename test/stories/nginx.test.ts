import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { Agent, get } from 'node:http';
import { join } from 'node:path';
import { it, type TestContext } from 'node:test';
import { type Sandbox, withSandbox } from '../fixtures/sandbox.ts';
import { freezeAndThaw, publishedPort, until } from './support.ts';

const ROUNDS = 10;
/** Requests that each client must have had answered between two freezes. */
const BETWEEN = 20;
/** Sizes of the files that nginx serves: one packet, and more than fits into a socket's buffer. */
const SIZES = [100, 4_000_000];

it('nginx is frozen and thawed ten times without failing a request of old or new connections', (t) =>
  withSandbox((box) => story(box, t), { images: ['nginx'] }));

async function story(box: Sandbox, t: TestContext): Promise<void> {
  const files = await writeFiles(join(box.directory, 'html'));
  const image = await box.image('nginx');
  const volume = `${join(box.directory, 'html')}:/usr/share/nginx/html:ro`;
  await box.ok(['run', '-d', '--name', 'nginx', '-p', '127.0.0.1::80', '-v', volume, image, 'nginx']);
  const url = `http://127.0.0.1:${await publishedPort(box, 'nginx', 80)}`;
  const once = new Agent();
  const kept = new Agent({ keepAlive: true, maxSockets: 1 });
  await until('the server answers', () =>
    ask(`${url}/`, once).then(
      () => true,
      () => false,
    ),
  );
  const clients = [startClient(url, files, kept), startClient(url, files, once)];
  let longestRound = 0;
  try {
    for (let round = 0; round < ROUNDS; round += 1) {
      await moreAnswers(clients);
      const took = await freezeAndThaw(box, 'nginx', async () => undefined);
      longestRound = Math.max(longestRound, took);
    }
    await moreAnswers(clients);
    for (const client of clients) await client.finish();
  } finally {
    // A request to a server that stayed frozen would never end.
    for (const agent of [once, kept]) agent.destroy();
    for (const client of clients) await client.finish();
  }
  for (const { seen } of clients) assert.equal(seen.wrong, undefined);
  const [steady, fresh] = clients.map(({ seen }) => seen);
  assert.equal(steady?.ports.size, 1, 'the connection is the one it was');
  assert.ok(fresh !== undefined && fresh.ports.size > BETWEEN, 'requests have connections of their own');
  const longest = Math.round(Math.max(...clients.map(({ seen }) => seen.longest)));
  t.diagnostic(
    `${ROUNDS} rounds of at most ${Math.round(longestRound)} ms; ${steady?.answered} requests over one connection, ${fresh?.answered} over new ones, longest ${longest} ms`,
  );
}

/** Name → SHA-256 of each file that nginx shall serve. */
async function writeFiles(directory: string): Promise<ReadonlyMap<string, string>> {
  await mkdir(directory, { mode: 0o755 });
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
