import assert from 'node:assert/strict';
import { Agent, get } from 'node:http';
import { text } from 'node:stream/consumers';
import { type TestContext, test } from 'node:test';
import { withSandbox } from '../fixtures/sandbox.ts';
import { freezeAndThaw, publishedPort, until } from './support.ts';

const ROUNDS = 10;
/** Requests that must be answered between two freezes, by each client. */
const BETWEEN = 50;

interface Client {
  readonly answered: () => number;
  readonly failures: readonly string[];
  /** Milliseconds that the slowest request took. */
  readonly longest: () => number;
  readonly stop: () => Promise<void>;
}

function request(port: number, agent: Agent | false): Promise<string> {
  return new Promise((resolve, reject) => {
    const sent = get({ host: '127.0.0.1', port, path: '/', agent }, (response) => {
      text(response).then((body) => resolve(`${response.statusCode} ${body}`), reject);
    });
    sent.on('error', reject);
  });
}

/** Asks again and again, one request after the other: over one connection, or over a new one each time. */
function startClient(port: number, keepAlive: boolean, expected: string): Client {
  const agent = keepAlive ? new Agent({ keepAlive: true, maxSockets: 1 }) : false;
  const failures: string[] = [];
  let answered = 0;
  let longest = 0;
  let stopping = false;
  const loop = async (): Promise<void> => {
    while (!stopping) {
      const begun = performance.now();
      try {
        const answer = await request(port, agent);
        if (answer !== expected) failures.push(`a wrong answer: ${answer}`);
        answered += 1;
      } catch (error) {
        failures.push(String(error));
      }
      longest = Math.max(longest, performance.now() - begun);
    }
    if (agent !== false) agent.destroy();
  };
  const ended = loop();
  return {
    answered: () => answered,
    failures,
    longest: () => longest,
    stop: () => {
      stopping = true;
      return ended;
    },
  };
}

test('nginx under steady clients is frozen and thawed ten times without a failed request', async (t: TestContext) => {
  await withSandbox(
    async (box) => {
      await box.ok(['run', '-d', '--name', 'web', '-p', '127.0.0.1::80', await box.image('nginx'), 'nginx']);
      const port = await publishedPort(box, 'web', 80);
      await until('the server answers', async () => (await request(port, false).catch(() => '')) !== '');
      const expected = await request(port, false);
      assert.match(expected, /^200 /);
      const clients = [startClient(port, true, expected), startClient(port, false, expected)];
      try {
        for (let round = 0; round <= ROUNDS; round += 1) {
          const goals = clients.map((client) => client.answered() + BETWEEN);
          await until('both clients are answered', () =>
            clients.every((client, index) => client.answered() >= (goals[index] ?? 0)),
          );
          if (round < ROUNDS) await freezeAndThaw(box, 'web', () => Promise.resolve());
        }
      } finally {
        await Promise.all(clients.map((client) => client.stop()));
      }
      for (const client of clients) assert.deepEqual(client.failures, []);
      const [kept, fresh] = clients.map(
        (client) => `${client.answered()} (slowest ${Math.round(client.longest())} ms)`,
      );
      t.diagnostic(`${ROUNDS} rounds; requests over one connection ${kept}, over new ones ${fresh}`);
    },
    { images: ['nginx'] },
  );
});
