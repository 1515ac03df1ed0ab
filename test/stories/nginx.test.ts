import { join } from 'node:path';
import { it, type TestContext } from 'node:test';
import { type Sandbox, withSandbox } from '../fixtures/sandbox.ts';
import { startClients, startNginx, urlOf, writeFiles } from './nginx.ts';
import { freezeAndThaw } from './support.ts';

const ROUNDS = 10;

it('nginx is frozen and thawed ten times without failing a request of old or new connections', (t) =>
  withSandbox((box) => story(box, t), { images: ['nginx'] }));

async function story(box: Sandbox, t: TestContext): Promise<void> {
  const html = join(box.directory, 'html');
  const files = await writeFiles(html);
  const clients = startClients(urlOf(await startNginx(box, html)), files);
  let longestRound = 0;
  try {
    for (let round = 0; round < ROUNDS; round += 1) {
      await clients.more();
      const took = await freezeAndThaw(box, 'nginx', async () => undefined);
      longestRound = Math.max(longestRound, took);
    }
    await clients.more();
    t.diagnostic(`${ROUNDS} rounds of at most ${Math.round(longestRound)} ms; ${await clients.finish()}`);
  } finally {
    await clients.close();
  }
}
