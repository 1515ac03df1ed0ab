import assert from 'node:assert/strict';
import { test } from 'node:test';
import { unfinished } from '../crash/support.ts';
import { generator, SEED } from '../fixtures/random.ts';
import { type Result, type Sandbox, withSandbox } from '../fixtures/sandbox.ts';
import { lastNumber } from './last-number.ts';
import { assertSerial, type Done, type Model, type Step } from './serial.ts';

const CONTAINERS = 10;
const COMMANDS = 50;
const COUNT = 'i=0; while true; do i=$((i+1)); echo $i; sleep 0.1; done';

/** Nothing that an ID could begin with. */
const nameOf = (index: number): string => `box-${index}`;

const runOf = (name: string): string[] => [
  ...['run', '-d', '--name', name, 'localhost/busybox:latest', 'sh', '-c', COUNT],
];

type Status = Model['status'];

const STAYS: Step = (at) => [at];
const when =
  (...statuses: Status[]) =>
  (at: Model): boolean =>
    statuses.includes(at.status);
const stays =
  (...statuses: Status[]): Step =>
  (at) =>
    when(...statuses)(at) ? [at] : undefined;
const becomes =
  (status: Status, ...from: Status[]): Step =>
  (at) =>
    when(...from)(at) ? [{ ...at, status }] : undefined;

const NOT_THERE =
  /no container with name or ID "[^"]+" found: no such container|no such container or image: /;
const ACTIVE: readonly Status[] = ['created', 'running', 'exited', 'checkpointed'];

/** For each kind of command: its words, and the steps that explain how it ended. Undefined: nothing does. */
interface Kind {
  readonly words: (name: string) => readonly string[];
  readonly explain: (result: Result, number: number) => readonly Step[] | undefined;
}

const refused =
  (words: RegExp, ...statuses: Status[]) =>
  ({ code, stderr }: Result): readonly Step[] | undefined => {
    if (code === 0) return undefined;
    if (NOT_THERE.test(stderr)) return [stays('none')];
    return words.test(stderr) ? [stays(...statuses)] : undefined;
  };

const NO_REFUSAL = /^\b$/;

const KINDS: Readonly<Record<string, Kind>> = {
  checkpoint: {
    words: (name) => ['container', 'checkpoint', name],
    explain: (result) =>
      result.code === 0
        ? [becomes('checkpointed', 'running')]
        : refused(/is not running, cannot checkpoint/, 'created', 'exited', 'checkpointed')(result),
  },
  restore: {
    words: (name) => ['container', 'restore', name],
    explain: (result) =>
      result.code === 0
        ? [becomes('running', 'checkpointed')]
        : (refused(/is running or paused, cannot restore/, 'running')(result) ??
          refused(/a complete checkpoint for this container cannot be found/, 'created', 'exited')(result)),
  },
  exec: {
    words: (name) => ['exec', name, 'sh', '-c', 'sleep 0.2; echo here'],
    // Whoever stops the container ends its other processes too.
    explain: (result) =>
      result.code === 0 || result.code === 137
        ? [stays('running')]
        : refused(
            /can only create exec sessions on running containers/,
            'created',
            'exited',
            'checkpointed',
          )(result),
  },
  stop: {
    words: (name) => ['stop', '--time', '0', name],
    explain: (result) =>
      result.code === 0
        ? [
            (at) =>
              at.status === 'none' ? undefined : [at.status === 'running' ? { ...at, status: 'exited' } : at],
          ]
        : refused(NO_REFUSAL)(result),
  },
  start: {
    words: (name) => ['start', name],
    explain: (result) => (result.code === 0 ? [becomes('running', ...ACTIVE)] : refused(NO_REFUSAL)(result)),
  },
  rm: {
    words: (name) => ['rm', '--force', '--time', '0', name],
    // A running one is seen as exited for a moment, by commands that only look.
    explain: ({ code }) =>
      code === 0
        ? [
            (at) => [at.status === 'running' ? { ...at, status: 'ending' } : at],
            (at) => [{ ...at, status: 'none' }],
          ]
        : undefined,
  },
  run: { words: runOf, explain: explainRun },
  ps: {
    words: (name) => ['ps', '--all', '--no-trunc', '--filter', `name=^${name}$`, '--format', '{{.State}}'],
    explain: ({ code }) => (code === 0 ? [STAYS] : undefined),
  },
  inspect: {
    words: (name) => ['inspect', '--format', '{{.State.Status}}', name],
    explain: (result) => {
      if (result.code !== 0) return /no such object: /.test(result.stderr) ? [stays('none')] : undefined;
      const status = result.stdout.trim();
      if (status === 'exited') return [stays('exited', 'checkpointed', 'ending')];
      return status === 'running'
        ? [stays('running')]
        : status === 'created'
          ? [stays('created')]
          : undefined;
    },
  },
  logs: {
    words: (name) => ['logs', name],
    explain: (result) => (result.code === 0 ? [stays(...ACTIVE, 'ending')] : refused(NO_REFUSAL)(result)),
  },
};

/** Two steps: it makes a container, and starts that very one, which another command may have removed by then. */
function explainRun({ code, stdout, stderr }: Result, number: number): readonly Step[] | undefined {
  const make: Step = (at) => (at.status === 'none' ? [{ status: 'created', made: number }] : undefined);
  if (code === 0) {
    const start: Step = (at) =>
      at.made === number && at.status !== 'none' ? [{ ...at, status: 'running' }] : undefined;
    return stdout === '' ? undefined : [make, start];
  }
  if (/the container name "[^"]+" is already in use/.test(stderr)) return [stays(...ACTIVE)];
  if (!NOT_THERE.test(stderr)) return undefined;
  return [make, (at) => (at.made !== number || at.status === 'none' ? [at] : undefined)];
}

interface Planned {
  readonly kind: Kind;
  readonly name: string;
  readonly number: number;
}

function plan(random: () => number): Planned[] {
  const kinds = Object.values(KINDS);
  return Array.from({ length: COMMANDS }, (_, index) => ({
    kind: kinds[Math.floor(random() * kinds.length)] ?? assert.fail(),
    name: nameOf(Math.floor(random() * CONTAINERS)),
    number: index + 1,
  }));
}

interface Ended extends Planned {
  readonly result: Result;
  readonly begun: number;
  readonly ended: number;
}

async function perform(box: Sandbox, planned: Planned): Promise<Ended> {
  const begun = performance.now();
  const result = await box.cryopod(planned.kind.words(planned.name));
  return { ...planned, result, begun, ended: performance.now() };
}

function doneOf({ kind, name, number, result, begun, ended }: Ended): Done {
  const { code, stdout, stderr } = result;
  const text = `${kind.words(name).slice(0, 3).join(' ')}: ${code} ${stdout.slice(0, 200)}${stderr}`;
  assert.doesNotMatch(stderr, /database is locked|internal error|^ {4}at /im, text);
  const steps = kind.explain(result, number) ?? assert.fail(`nothing explains ${text}`);
  return { text, steps, begun, ended };
}

async function modelOf(box: Sandbox, name: string, made: number): Promise<Model> {
  const format = '{{.State.Status}}:{{.State.Checkpointed}}';
  const { code, stdout } = await box.cryopod(['inspect', '--format', format, name]);
  if (code !== 0) return { status: 'none', made };
  const [status = '', checkpointed] = stdout.trim().split(':');
  if (checkpointed === 'true') return { status: 'checkpointed', made };
  assert.ok(['created', 'running', 'exited'].includes(status), `${name} is ${status}`);
  return { status: status as Status, made };
}

/** Whatever they are: they can be brought to life, count, freeze, thaw and go on counting. */
async function assertUsable(box: Sandbox, models: ReadonlyMap<string, Model>): Promise<void> {
  for (const [name, { status }] of models) {
    if (status === 'none') await box.ok(runOf(name));
    else if (status === 'checkpointed') await box.ok(['container', 'restore', name]);
    else await box.ok(['start', name]);
  }
  const count = (name: string): Promise<number> => lastNumber(box, name);
  const before = new Map<string, number>();
  for (const name of models.keys()) before.set(name, await count(name));
  const frozen = await box.ok(['container', 'checkpoint', '--all']);
  assert.equal(frozen.split('\n').length, CONTAINERS);
  assert.equal(await box.ok(['container', 'restore', '--all']), frozen);
  for (const [name, first] of before) assert.ok((await count(name)) >= first, `${name} counts on`);
}

test(`fifty commands at once on ten containers end as in some order one after the other (seed ${SEED})`, async () => {
  await withSandbox(async (box) => {
    const random = generator(SEED);
    const names = Array.from({ length: CONTAINERS }, (_, index) => nameOf(index));
    const firsts = new Map<string, Model>();
    for (const [index, name] of names.entries()) {
      const status = (['running', 'running', 'checkpointed', 'exited', 'none'] as const)[index % 5] ?? 'none';
      if (status !== 'none') await box.ok(runOf(name));
      if (status === 'checkpointed') await box.ok(['container', 'checkpoint', name]);
      if (status === 'exited') await box.ok(['stop', '--time', '0', name]);
      firsts.set(name, { status, made: 0 });
    }
    const all = await Promise.all(plan(random).map((planned) => perform(box, planned)));
    assert.deepEqual(unfinished(box), []);
    const lasts = new Map<string, Model>();
    for (const name of names) {
      const mine = all.filter((one) => one.name === name);
      const { stdout: id } = await box.cryopod(['inspect', '--format', '{{.Id}}', name]);
      const made =
        mine.find(({ result }) => id.trim() !== '' && result.stdout.trim() === id.trim())?.number ?? 0;
      const last = await modelOf(box, name, made);
      assertSerial(firsts.get(name) ?? assert.fail(), mine.map(doneOf), last);
      lasts.set(name, last);
    }
    await assertUsable(box, lasts);
  });
});
