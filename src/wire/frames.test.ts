import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { isCryopodError } from '../model/errors.ts';
import {
  type FrameEvent,
  frameHeader,
  frameParser,
  HEADER_BYTES,
  MAX_CHANNEL,
  MAX_DATA_BYTES,
  MAX_MESSAGE_BYTES,
} from './frames.ts';

type Sent = { readonly channel: number; readonly bytes: Uint8Array };

const message = (bytes: Uint8Array): Buffer =>
  Buffer.concat([frameHeader('message', 0, bytes.length), bytes]);
const data = ({ channel, bytes }: Sent): Buffer =>
  Buffer.concat([frameHeader('data', channel, bytes.length), bytes]);

/** What came on each channel, whatever parts it came in. */
function joined(events: readonly FrameEvent[]): Map<number, Buffer> {
  const channels = new Map<number, Buffer>();
  for (const event of events) {
    if (event.kind !== 'data') continue;
    channels.set(event.channel, Buffer.concat([channels.get(event.channel) ?? Buffer.alloc(0), event.bytes]));
  }
  return channels;
}

const sent = fc.array(
  fc.record({ channel: fc.integer({ min: 1, max: MAX_CHANNEL }), bytes: fc.uint8Array({ maxLength: 300 }) }),
  { maxLength: 20 },
);

test('frames come out as they went in, wherever the stream is cut', () => {
  fc.assert(
    fc.property(sent, fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1 }), (frames, cuts) => {
      const stream = Buffer.concat([...frames.map(data), message(Buffer.from('{}'))]);
      const parser = frameParser();
      const events: FrameEvent[] = [];
      for (let at = 0, turn = 0; at < stream.length; turn += 1) {
        const size = cuts[turn % cuts.length] ?? 1;
        events.push(...parser.push(stream.subarray(at, at + size)));
        at += size;
      }
      const expected = joined(
        frames.map(({ channel, bytes }) => ({ kind: 'data', channel, bytes: Buffer.from(bytes) })),
      );
      for (const [channel, bytes] of expected) if (bytes.length === 0) expected.delete(channel);
      assert.deepEqual(joined(events), expected);
      const last = events.at(-1);
      assert.equal(last?.kind === 'message' && last.bytes.toString(), '{}');
      assert.equal(parser.isBetween(), true);
    }),
  );
});

test('the end of a part is told, also where a frame without content stands before it', () => {
  const stream = Buffer.concat([data({ channel: 3, bytes: Buffer.alloc(0) }), frameHeader('end', 3, 0)]);
  assert.deepEqual(frameParser().push(stream), [{ kind: 'end', channel: 3 }]);
});

test('headers that no sender makes are refused before anything is kept', () => {
  const header = (kind: number, channel: number, length: number, second = 0): Buffer => {
    const bytes = Buffer.alloc(HEADER_BYTES);
    bytes.writeUInt8(kind, 0);
    bytes.writeUInt8(second, 1);
    bytes.writeUInt16BE(channel, 2);
    bytes.writeUInt32BE(length, 4);
    return bytes;
  };
  const hostile = {
    'an unknown kind': header(9, 1, 0),
    'a byte that must be zero': header(2, 1, 0, 1),
    'a channel too high': header(2, MAX_CHANNEL + 1, 1),
    'data on the channel of messages': header(2, 0, 1),
    'a message on a channel of data': header(1, 1, 1),
    'a message too long': header(1, 0, MAX_MESSAGE_BYTES + 1),
    'data too long': header(2, 1, MAX_DATA_BYTES + 1),
    'an end with content': header(3, 1, 1),
    'the words of a shell': Buffer.from('bash: cryopod: command not found\n'),
  };
  for (const [what, bytes] of Object.entries(hostile)) {
    assert.throws(
      () => frameParser().push(bytes),
      (error) => isCryopodError(error, 'PEER_INVALID'),
      what,
    );
  }
});

test('any bytes are frames or refused, and never anything else', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      try {
        frameParser().push(Buffer.from(bytes));
      } catch (error) {
        assert.equal(isCryopodError(error, 'PEER_INVALID'), true);
      }
    }),
  );
});
