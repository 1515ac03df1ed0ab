import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isCryopodError } from '../../model/errors.ts';
import { type Command, defineCommand, type Tree } from './command.ts';
import { defineFlags } from './flags.ts';
import { editDistance, resolve } from './resolve.ts';

interface Ctx {
  readonly said: string[];
}

const globals = defineFlags({
  root: { type: 'string', default: '/var/lib/cryopod', help: 'Storage root', value: 'DIR' },
  logLevel: { type: 'string', default: 'warn', help: 'Log above this level' },
});

const run = defineCommand({
  usage: '[options] IMAGE [COMMAND [ARG...]]',
  long: 'Creates a container\nand starts it.',
  examples: ['run -d nginx'],
  interspersed: false,
  args: { min: 1 },
  flags: {
    detach: { short: 'd', type: 'bool', help: 'Run in the background' },
    publish: { short: 'p', type: 'list', value: 'HOST:CONTAINER', help: 'Publish a port' },
    stopTimeout: { type: 'int', default: 10, help: 'Seconds to wait' },
    secret: { type: 'string', hidden: true },
  },
  run: async (ctx: Ctx, flags, args) => {
    ctx.said.push(`${flags.detach} ${args.join(' ')}`);
    return flags.stopTimeout;
  },
});

const fixed = (args: { min?: number; max?: number }): Command<Ctx> =>
  defineCommand({ usage: '', args, flags: {}, run: (_ctx: Ctx) => 0 });

const loaded: string[] = [];
const tree: Tree<Ctx, typeof globals> = {
  name: 'cryopod',
  short: 'Freeze and thaw containers',
  version: '0.1.0',
  globals,
  commands: [
    {
      name: 'run',
      short: 'Run a command in a new container',
      group: 'Containers',
      load: async () => {
        loaded.push('run');
        return run;
      },
    },
    {
      name: 'container',
      short: 'Manage containers',
      group: 'Nouns',
      commands: [
        {
          name: 'ls',
          aliases: ['list', 'ps'],
          short: 'List containers',
          load: async () => fixed({ max: 0 }),
        },
        { name: 'rename', short: 'Rename a container', load: async () => fixed({ min: 2, max: 2 }) },
      ],
    },
    { name: 'cp', short: 'Copy', load: async () => fixed({ min: 1, max: 3 }) },
    { name: 'wait', short: 'Wait', load: async () => fixed({ max: 1 }) },
  ],
};

async function textOf(...argv: string[]) {
  const invocation = await resolve(tree, argv);
  assert.ok(invocation.kind === 'text');
  return invocation;
}

const refusal = (message: string | RegExp) => (error: unknown) => {
  assert.ok(isCryopodError(error, 'USAGE'), String(error));
  assert.ok(
    typeof message === 'string' ? error.message === message : message.test(error.message),
    error.message,
  );
  return true;
};

test('a command runs with its own flags, and the flags of the program on both sides of it', async () => {
  const invocation = await resolve(tree, [
    '--root',
    '/a',
    'run',
    '-d',
    '--log-level=debug',
    '--root=/b',
    'img',
    '-x',
  ]);
  assert.ok(invocation.kind === 'run');
  const said: string[] = [];
  assert.equal(await invocation.run({ said }), 10);
  assert.deepEqual(said, ['true img -x']);
  assert.equal(invocation.path, 'cryopod run');
  assert.equal(invocation.globals.root, '/b');
  assert.equal(invocation.globals.logLevel, 'debug');
  assert.ok(invocation.globals.isSet('root'));
});

test('flags before the command hold when they are not repeated', async () => {
  const invocation = await resolve(tree, ['--root', '/a', 'run', 'img']);
  assert.ok(invocation.kind === 'run');
  assert.equal(invocation.globals.root, '/a');
  assert.ok(invocation.globals.isSet('root') && !invocation.globals.isSet('logLevel'));
});

test('nested commands are found by name and by alias', async () => {
  for (const word of ['ls', 'list', 'ps']) {
    const invocation = await resolve(tree, ['container', word]);
    assert.ok(invocation.kind === 'run');
    assert.equal(invocation.path, `cryopod container ${word}`);
  }
});

test('the help of the program loads no command', async () => {
  loaded.length = 0;
  const { text, exit, stream } = await textOf('--help');
  assert.deepEqual([exit, stream, loaded.length], [0, 'stdout', 0]);
  assert.equal(
    text,
    `Freeze and thaw containers

Usage:
  cryopod [options] [command]

Containers:
  run         Run a command in a new container

Nouns:
  container   Manage containers

Available Commands:
  cp          Copy
  wait        Wait

Options:
      --log-level string   Log above this level (default "warn")
      --root DIR           Storage root (default "/var/lib/cryopod")
`,
  );
});

test('the help of a command shows its flags aligned and hides the hidden', async () => {
  const { text } = await textOf('run', '--help');
  assert.equal(
    text,
    `Run a command in a new container

Description:
  Creates a container
  and starts it.

Usage:
  cryopod run [options] IMAGE [COMMAND [ARG...]]

Examples:
  cryopod run -d nginx

Options:
  -d, --detach                   Run in the background
  -p, --publish HOST:CONTAINER   Publish a port
      --stop-timeout int         Seconds to wait (default 10)
`,
  );
  assert.equal((await textOf('help', 'run')).text, text);
  assert.equal((await textOf('run', '-h')).text, text);
});

test('the version is told', async () => {
  assert.equal((await textOf('--version')).text, 'cryopod version 0.1.0\n');
  assert.equal((await textOf('-v')).text, 'cryopod version 0.1.0\n');
});

test('a noun alone shows its help and fails', async () => {
  const { text, exit, stream } = await textOf('container');
  assert.deepEqual([exit, stream], [125, 'stderr']);
  assert.match(text, /Usage:\n {2}cryopod container \[command\]/);
  assert.match(text, /\nError: missing command 'cryopod container COMMAND'\n$/);
  assert.equal((await textOf('container', '--help')).exit, 0);
  assert.equal((await textOf()).exit, 125);
});

test('an unknown command is refused with what may have been meant', async () => {
  await assert.rejects(
    resolve(tree, ['rnu']),
    refusal('unrecognized command `cryopod rnu`\n\nDid you mean this?\n\trun\n'),
  );
  await assert.rejects(resolve(tree, ['container', 'zzzzzz']), (error) => {
    assert.ok(isCryopodError(error, 'USAGE'));
    assert.equal(error.message, 'unrecognized command `cryopod container zzzzzz`');
    assert.equal(error.hint, "Try 'cryopod container --help' for more information");
    return true;
  });
  await assert.rejects(resolve(tree, ['--nope', 'run']), refusal('unknown flag: --nope'));
  await assert.rejects(resolve(tree, ['container', '--nope']), refusal('unknown flag: --nope'));
});

test('the number of arguments is checked with the words of cobra', async () => {
  await assert.rejects(resolve(tree, ['run']), refusal('requires at least 1 arg(s), only received 0'));
  await assert.rejects(resolve(tree, ['container', 'rename', 'a']), refusal('accepts 2 arg(s), received 1'));
  await assert.rejects(
    resolve(tree, ['container', 'ls', 'a']),
    refusal('`cryopod container ls` takes no arguments'),
  );
  await assert.rejects(resolve(tree, ['cp']), refusal('accepts between 1 and 3 arg(s), received 0'));
  await assert.rejects(resolve(tree, ['wait', 'a', 'b']), refusal('accepts at most 1 arg(s), received 2'));
});

test('edit distance counts changed letters', () => {
  assert.equal(editDistance('', 'abc'), 3);
  assert.equal(editDistance('kitten', 'sitting'), 3);
  assert.equal(editDistance('run', 'run'), 0);
});
