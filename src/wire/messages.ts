import * as v from 'valibot';
import { fail, messageOf } from '../model/errors.ts';

/** Version of the protocol; both sides must speak the same. */
export const PROTOCOL = 2;

const short = v.pipe(v.string(), v.maxLength(300));
const sentence = v.pipe(v.string(), v.maxLength(10_000));
const count = v.pipe(v.number(), v.safeInteger(), v.minValue(0));
/** 128 random bits: who knows it may ask what became of a move. */
const token = v.pipe(v.string(), v.regex(/^[0-9a-f]{32}$/, 'not a token'));
const id = v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/, 'not an ID'));
const digest = v.pipe(v.string(), v.regex(/^sha256:[0-9a-f]{64}$/, 'not a sha256 digest'));
/** A JSON document that the engine reads with the schema of its own. */
const document = v.pipe(v.string(), v.maxLength(1 << 20));

export const MODES = ['cold', 'pre-copy', 'post-copy'] as const;
export const OUTCOMES = ['running', 'failed', 'aborted', 'unknown'] as const;

/** An error as the other side may be told it. */
const problem = {
  code: short,
  message: sentence,
  hint: v.optional(sentence),
};

/** What the processes need to be told at the thaw; names as the options of a restore. */
const thawOptions = v.object({
  tcpEstablished: v.boolean(),
  fileLocks: v.boolean(),
  ignoreCpu: v.boolean(),
});

const SCHEMAS = {
  /** First message of both sides. */
  hello: v.object({ type: v.literal('hello'), protocol: count, version: short }),
  /** Source: what is to come. `config` and the others are the members of an archive under these names. */
  request: v.object({
    type: v.literal('request'),
    token,
    /** Nothing is to be moved, only looked at (--dry-run). */
    look: v.boolean(),
    id,
    name: v.optional(short),
    config: document,
    spec: document,
    facts: document,
    networks: document,
    /** Where its addresses stand, so that the target can tell whether they move along. */
    address: v.object({
      mode: v.picklist(['bridge', 'none', 'host', 'container', 'ns']),
      networks: v.pipe(
        v.array(
          v.object({
            name: short,
            direct: v.boolean(),
            subnets: v.pipe(v.array(short), v.maxLength(100), v.readonly()),
            addresses: v.pipe(v.array(short), v.maxLength(100), v.readonly()),
          }),
        ),
        v.maxLength(100),
      ),
      /** There are connections to outside of it that are to live on. */
      connections: v.boolean(),
      publishes: v.boolean(),
    }),
    options: thawOptions,
    /** Seconds without a sign of life after which each side takes the other for lost. */
    patience: v.pipe(count, v.minValue(1), v.maxValue(86_400)),
    /** About what will come, uncompressed bytes. */
    bytes: v.object({ memory: count, files: count }),
  }),
  /** Target: what its preflight found. */
  findings: v.object({
    type: v.literal('findings'),
    findings: v.pipe(
      v.array(
        v.object({
          check: short,
          level: v.picklist(['ok', 'warning', 'obstacle']),
          sentence,
          hint: v.optional(sentence),
          code: v.optional(short),
        }),
      ),
      v.maxLength(1000),
    ),
    /** The base image is not there: its manifest, as the first of some members, comes before `begin`. */
    lacksImage: v.boolean(),
    /** Lazy restores work there. */
    lazy: v.boolean(),
  }),
  /** Source, after the findings: how fast is the link? Bytes without meaning follow on the channel of members, as one part. */
  probe: v.object({ type: v.literal('probe') }),
  /** Target: all of them have come. */
  probed: v.object({ type: v.literal('probed'), bytes: count }),
  /** Target, when it has the manifest of an image: these blobs of it are not there. They follow as members, in this order. */
  lacks: v.object({ type: v.literal('lacks'), blobs: v.pipe(v.array(digest), v.maxLength(1000)) }),
  /** Source: how it will come. What follows is the mode's, up to `prepared`. */
  begin: v.object({
    type: v.literal('begin'),
    mode: v.picklist(MODES),
    /** Files, and in pre-copy memory, come in rounds before the freeze; in it, what has changed since. */
    rounds: v.boolean(),
  }),
  /** Source: a member of the archive; the content of a file follows on the channel of members, as one part. */
  member: v.object({
    type: v.literal('member'),
    name: short,
    kind: v.picklist(['file', 'directory', 'link']),
    packed: v.picklist(['none', 'zstd']),
  }),
  /** Source: that was the last member. */
  sent: v.object({ type: v.literal('sent') }),
  /** Target: what has come is kept. Of an image: it is recorded, and `number` counts its blobs; of a round: which one. */
  kept: v.object({ type: v.literal('kept'), number: count }),
  /** Target: all is on disk and journalled; nothing runs before `commit`. */
  prepared: v.object({ type: v.literal('prepared') }),
  /** Source: it is the target's from here on. */
  commit: v.object({ type: v.literal('commit') }),
  /** Target: its processes run. `micros`: from `commit` until then. */
  running: v.object({ type: v.literal('running'), id, micros: count }),
  /** Target: every page of a post-copy has arrived, and the target needs the source no more. Durable. */
  complete: v.object({ type: v.literal('complete') }),
  /** Source: what became of the move with this token? In a stream of its own. */
  settle: v.object({ type: v.literal('settle'), token }),
  /** Target's answer. */
  outcome: v.object({
    type: v.literal('outcome'),
    outcome: v.picklist(OUTCOMES),
    message: v.optional(sentence),
  }),
  /** Either side: it cannot go on, and undoes what it did. */
  failed: v.object({ type: v.literal('failed'), ...problem }),
} as const;

export type MessageType = keyof typeof SCHEMAS;
export type MessageOf<T extends MessageType> = v.InferOutput<(typeof SCHEMAS)[T]>;
export type Message = { [T in MessageType]: MessageOf<T> }[MessageType];
export type MoveMode = (typeof MODES)[number];
export type Outcome = (typeof OUTCOMES)[number];

const invalid = (why: string): never =>
  fail('PEER_INVALID', { message: `a message of the other side cannot be used: ${why}` });

/** Reads an untrusted message. Fails with PEER_INVALID. */
export function parseMessage(bytes: Buffer): Message {
  let value: unknown;
  try {
    value = JSON.parse(bytes.toString('utf8'));
  } catch (error) {
    return invalid(messageOf(error));
  }
  const type = typeof value === 'object' && value !== null && 'type' in value ? value.type : undefined;
  if (typeof type !== 'string' || !Object.hasOwn(SCHEMAS, type)) return invalid('its type is not known');
  const result = v.safeParse(SCHEMAS[type as MessageType], value);
  if (result.success) return result.output;
  const [issue] = result.issues;
  return invalid(`${type}: ${v.getDotPath(issue) ?? 'it'}: ${issue.message}`);
}

export const formatMessage = (message: Message): Buffer => Buffer.from(JSON.stringify(message));
