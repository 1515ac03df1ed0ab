import assert from 'node:assert/strict';
import { PassThrough } from 'node:stream';
import { test } from 'node:test';
import { isCryopodError } from '../model/errors.ts';
import { HEADER_BYTES } from './frames.ts';
import type { LifeOptions } from './life.ts';
import { linkCommand } from './link.ts';
import { limitedTo } from './pace.ts';
import { openWire, type Wire } from './wire.ts';

interface Pair {
  readonly one: Wire;
  readonly other: Wire;
  /** What the other side reads. */
  readonly raw: PassThrough;
}

/** Two wires that lead to each other. */
async function withPair(work: (pair: Pair) => Promise<void>, life: LifeOptions = {}): Promise<void> {
  const [there, back] = [new PassThrough(), new PassThrough()];
  const one = openWire({ input: back, output: there }, { life });
  const other = openWire({ input: there, output: back }, { life });
  try {
    await work({ one, other, raw: there });
  } finally {
    one.close();
    other.close();
    await Promise.all([one.ended, other.ended]);
  }
}

async function readPart(wire: Wire, channel: number): Promise<Buffer> {
  const parts: Buffer[] = [];
  const from = wire.channel(channel);
  for (let part = await from.read(); part !== undefined; part = await from.read())
    parts.push(Buffer.from(part));
  return Buffer.concat(parts);
}

test('channels and messages share a stream without getting mixed up, both ways at once', async () => {
  await withPair(async ({ one, other }) => {
    const big = Buffer.alloc(5 << 20, 'a');
    const small = Buffer.from('small');
    const send = async (wire: Wire, channel: number, bytes: Buffer): Promise<void> => {
      await wire.channel(channel).write(bytes);
      await wire.channel(channel).end();
    };
    const sending = [
      send(one, 1, big),
      send(one, 2, small),
      send(other, 1, small),
      one.send({ type: 'probe' }),
    ];
    const [first, second, third, message] = await Promise.all([
      readPart(other, 1),
      readPart(other, 2),
      readPart(one, 1),
      other.receive(),
      ...sending,
    ]);
    assert.equal(first.equals(big), true);
    assert.deepEqual([second.toString(), third.toString(), message.type], ['small', 'small', 'probe']);
    assert.equal(one.sentBytes() > big.length, true);
  });
});

test('what the other side said before it went is heard, and then that it went', async () => {
  await withPair(async ({ one, other }) => {
    await other.send({ type: 'failed', code: 'NO_SPACE', message: 'full' });
    other.close();
    assert.equal((await one.receive()).type, 'failed');
    await assert.rejects(one.receive(), (error) => isCryopodError(error, 'LINK_LOST'));
    await assert.rejects(one.channel(1).read(), (error) => isCryopodError(error, 'LINK_LOST'));
  });
});

test('what is no message of the protocol ends the conversation', async () => {
  await withPair(async ({ other, raw }) => {
    raw.write('Welcome to this host!\n');
    await assert.rejects(other.receive(), (error) => isCryopodError(error, 'PEER_INVALID'));
  });
});

test('what was not due ends the conversation instead of holding it up', async () => {
  await withPair(async ({ one, other }) => {
    const sending = one.channel(1).write(Buffer.from('data that nobody reads'));
    await assert.rejects(other.receive(), /data of channel 1 that was not due/);
    await sending;
  });
  await withPair(async ({ one, other }) => {
    const sending = Array.from({ length: 100 }, () => one.send({ type: 'probe' }));
    await assert.rejects(other.channel(1).read(), /a message that was not due/);
    await Promise.all(sending);
  });
});

test('a limited pace lets out so many bytes a second, and does not save up for a pause', async () => {
  let time = 0;
  const pace = limitedTo(
    1000,
    () => time,
    async (milliseconds) => {
      time += milliseconds;
    },
  );
  for (let sent = 0; sent < 10; sent += 1) await pace(500);
  assert.equal(time, 5000);
  time += 60_000;
  for (let sent = 0; sent < 10; sent += 1) await pace(500);
  assert.equal(time, 65_000 + 4900);
});

test('the command of a link is ssh, or words split as rsync splits them', () => {
  assert.deepEqual(linkCommand('root@b', undefined).slice(-4), ['--', 'root@b', 'cryopod', 'receive']);
  assert.deepEqual(linkCommand('b', `ssh -i 'my key' -o"A B"=c`), [
    'ssh',
    '-i',
    'my key',
    '-oA B=c',
    'b',
    'cryopod',
    'receive',
  ]);
  assert.deepEqual(linkCommand(undefined, 'env X=1'), ['env', 'X=1', 'cryopod', 'receive']);
  for (const bad of [
    () => linkCommand('-oProxyCommand=x', undefined),
    () => linkCommand(undefined, undefined),
    () => linkCommand(undefined, ' '),
    () => linkCommand('b', `ssh 'open`),
  ]) {
    assert.throws(bad, (error) => isCryopodError(error, 'USAGE'));
  }
});

/** Short ticks; a test that is kept from running for three of them must not fail. */
const TICKS: LifeOptions = { patience: 3, tickMs: 20 };

async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await new Promise((resolve) => setTimeout(resolve, 5));
}

test('who has nothing to say gives signs of life, and is not taken for lost', async () => {
  await withPair(async ({ one, other }) => {
    const receiving = one.receive();
    await until(() => one.sentBytes() >= 10 * HEADER_BYTES && other.sentBytes() >= 10 * HEADER_BYTES);
    await other.send({ type: 'probe' });
    assert.equal((await receiving).type, 'probe');
    assert.deepEqual([one.isLifeless(), other.isLifeless()], [false, false]);
  }, TICKS);
});

test('a side that says nothing at all is lost, to whoever reads and to whoever writes', async () => {
  for (const isWriting of [false, true]) {
    // Nobody reads it, so that what is written soon waits.
    const output = new PassThrough({ highWaterMark: 1 });
    const wire = openWire({ input: new PassThrough(), output }, { life: TICKS });
    const work = isWriting ? wire.channel(1).write(Buffer.alloc(1 << 20)) : wire.receive();
    await assert.rejects(work, (error) => {
      assert.ok(isCryopodError(error, 'LINK_LOST'));
      assert.match(error.message, /given up after 3 s without a sign of life/);
      return true;
    });
    assert.equal(wire.isLifeless(), true);
    await wire.ended;
  }
});

test('a side that is not being read is not lost', async () => {
  await withPair(async ({ one, other }) => {
    const sending = (async () => {
      for (let i = 0; i < 3; i += 1) await one.channel(1).write(Buffer.alloc(1000, 'x'));
      await one.channel(1).end();
    })();
    // It gives signs of life, and reads nothing.
    await until(() => other.sentBytes() >= 10 * HEADER_BYTES);
    assert.equal((await readPart(other, 1)).length, 3000);
    await sending;
    assert.equal(other.isLifeless(), false);
  }, TICKS);
});
