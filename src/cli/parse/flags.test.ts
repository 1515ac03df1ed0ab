import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { isCryopodError } from '../../model/errors.ts';
import { defineFlags, parseFlags } from './flags.ts';

const table = defineFlags({
  detach: { short: 'd', type: 'bool', help: 'Run in the background' },
  interactive: { short: 'i', type: 'bool' },
  tty: { short: 't', type: 'bool' },
  rm: { type: 'bool' },
  sigProxy: { type: 'bool', default: true },
  publish: { short: 'p', type: 'list', value: 'HOST:CONTAINER' },
  env: { short: 'e', type: 'list' },
  name: { short: 'n', type: 'string' },
  network: { type: 'string', aliases: ['net'], default: 'bridge' },
  pull: { type: 'string', optionalValue: 'always', default: 'missing' },
  time: { type: 'int', aliases: ['timeout'], default: 10 },
  pidsLimit: { type: 'int' },
  age: { type: 'uint' },
  cpus: { type: 'float' },
  dns: { type: 'csv', default: ['1.1.1.1'] },
  verbose: { short: 'v', type: 'count' },
});

const parse = (...argv: string[]) => parseFlags(table, argv, { commandPath: 'cryopod run' });
const parseRun = (...argv: string[]) => parseFlags(table, argv, { interspersed: false });

const refusal = (message: string) => (error: unknown) => {
  assert.ok(isCryopodError(error, 'USAGE'));
  assert.equal(error.message, message);
  assert.equal(error.exitStatus, 125);
  return true;
};

test('values have exact types', () => {
  const { flags } = parse();
  const detach: boolean = flags.detach;
  const publish: readonly string[] = flags.publish;
  const name: string | undefined = flags.name;
  const network: string = flags.network;
  const time: number = flags.time;
  const cpus: number | undefined = flags.cpus;
  // @ts-expect-error a string without a default may be undefined
  const wrong: string = flags.name;
  // @ts-expect-error no such flag
  assert.equal(flags.nothing, undefined);
  assert.deepEqual(
    [detach, publish, name, network, time, cpus, wrong],
    [false, [], undefined, 'bridge', 10, undefined, undefined],
  );
});

test('short flags cluster and the last one may carry its value', () => {
  const { flags, args } = parse('-dit', '-p8080:80', 'image');
  assert.ok(flags.detach && flags.interactive && flags.tty);
  assert.deepEqual(flags.publish, ['8080:80']);
  assert.deepEqual(args, ['image']);
  assert.deepEqual(parse('-dp80', '-p', '81').flags.publish, ['80', '81']);
});

test('an equals sign after a short flag is no part of its value', () => {
  assert.deepEqual(parse('-e=A=1', '-eB=2', '-e', 'C=3', '--env=D=4', '--env', 'E=5').flags.env, [
    'A=1',
    'B=2',
    'C=3',
    'D=4',
    'E=5',
  ]);
  assert.deepEqual(parse('-e=').flags.env, ['=']);
});

test('bools take a value only behind an equals sign', () => {
  assert.equal(parse('--rm=false').flags.rm, false);
  assert.equal(parse('--sig-proxy=0').flags.sigProxy, false);
  assert.equal(parse('-d=F').flags.detach, false);
  const { flags, args } = parse('--rm', 'false');
  assert.equal(flags.rm, true);
  assert.deepEqual(args, ['false']);
  assert.throws(
    () => parse('--rm=x'),
    refusal('invalid argument "x" for "--rm" flag: strconv.ParseBool: parsing "x": invalid syntax'),
  );
});

test('options may stand between and behind positional arguments', () => {
  const { flags, args } = parse('-d', 'c1', '--time', '0', 'c2', '--rm');
  assert.deepEqual(args, ['c1', 'c2']);
  assert.equal(flags.time, 0);
  assert.ok(flags.rm);
});

test('run stops at the image', () => {
  const { flags, args } = parseRun('-d', 'image', 'sh', '-c', 'ls', '--rm');
  assert.deepEqual(args, ['image', 'sh', '-c', 'ls', '--rm']);
  assert.equal(flags.rm, false);
});

test('two dashes end the options', () => {
  const result = parse('a', '--', '-d', '--', '--nope');
  assert.deepEqual(result.args, ['a', '-d', '--', '--nope']);
  assert.equal(result.argsBeforeDash, 1);
  assert.deepEqual(parseRun('--', 'image', '--', 'x').args, ['image', '--', 'x']);
});

test('a lone dash is a positional argument and a value', () => {
  assert.deepEqual(parse('-').args, ['-']);
  assert.equal(parse('--name', '-').flags.name, '-');
  assert.equal(parse('--name', '--rm').flags.name, '--rm');
});

test('optional values are given with an equals sign only', () => {
  assert.equal(parse('--pull', 'never').flags.pull, 'always');
  assert.equal(parse('--pull=never').flags.pull, 'never');
  assert.equal(parse().flags.pull, 'missing');
});

test('aliases are the same flag', () => {
  const { flags } = parse('--net=host', '--timeout', '3');
  assert.equal(flags.network, 'host');
  assert.equal(flags.time, 3);
  assert.ok(flags.isSet('time') && flags.isSet('network') && !flags.isSet('name'));
});

test('a flag set to its default value counts as set', () => {
  assert.ok(parse('--time=10').flags.isSet('time'));
  assert.ok(parse('--rm=false').flags.isSet('rm'));
});

test('numbers are read as Go reads them', () => {
  assert.equal(parse('--time=-1').flags.time, -1);
  assert.equal(parse('--time', '-1').flags.time, -1);
  assert.equal(parse('--time=0x10').flags.time, 16);
  assert.equal(parse('--time=010').flags.time, 8);
  assert.equal(parse('--cpus=.5').flags.cpus, 0.5);
  assert.throws(
    () => parse('--time', 'x'),
    refusal('invalid argument "x" for "--time" flag: strconv.ParseInt: parsing "x": invalid syntax'),
  );
  assert.throws(
    () => parse('--age=-1'),
    refusal('invalid argument "-1" for "--age" flag: strconv.ParseUint: parsing "-1": invalid syntax'),
  );
  assert.throws(() => parse('--time=99999999999999999999'), /value out of range/);
  assert.throws(() => parse('--cpus=1,5'), /strconv.ParseFloat/);
  assert.throws(() => parse('--time='), /parsing ""/);
});

test('comma lists split and replace their default once', () => {
  assert.deepEqual(parse().flags.dns, ['1.1.1.1']);
  assert.deepEqual(parse('--dns=8.8.8.8,9.9.9.9', '--dns', '"a,b"').flags.dns, ['8.8.8.8', '9.9.9.9', 'a,b']);
  assert.deepEqual(parse('--publish=1,2').flags.publish, ['1,2']);
  assert.throws(() => parse('--dns=a"b'), /bare or unclosed "/);
});

test('counts add up', () => {
  assert.equal(parse('-vv', '--verbose').flags.verbose, 3);
  assert.equal(parse('--verbose=5').flags.verbose, 5);
});

test('refusals use the words of pflag and name the help', () => {
  assert.throws(() => parse('--foo=1'), refusal('unknown flag: --foo'));
  assert.throws(() => parse('-xyz'), refusal("unknown shorthand flag: 'x' in -xyz"));
  assert.throws(() => parse('-dxy'), refusal("unknown shorthand flag: 'x' in -xy"));
  assert.throws(() => parse('--name'), refusal('flag needs an argument: --name'));
  assert.throws(() => parse('-dn'), refusal("flag needs an argument: 'n' in -n"));
  assert.throws(() => parse('--=x'), refusal('bad flag syntax: --=x'));
  assert.throws(() => parse('---x'), refusal('bad flag syntax: ---x'));
  assert.throws(
    () => parse('--foo'),
    (error) => isCryopodError(error) && error.hint === "See 'cryopod run --help'",
  );
});

test('help is seen before errors behind it', () => {
  assert.ok(parse('--help', '--nope').help);
  assert.ok(parse('-h').help);
  const own = parseFlags(defineFlags({ hostname: { short: 'h', type: 'string' } }), ['-h', 'box']);
  assert.equal(own.help, false);
  assert.equal(own.flags.hostname, 'box');
});

test('flags of the program may stand behind the command, and the command wins', () => {
  const globals = defineFlags({ root: { type: 'string' }, name: { type: 'string' } });
  const result = parseFlags(table, ['--root', '/x', '--name', 'n'], {}, globals);
  assert.equal(result.globals.root, '/x');
  assert.equal(result.globals.name, undefined);
  assert.equal(result.flags.name, 'n');
});

test('any command line parses or is refused as a usage error', () => {
  const word = fc.oneof(
    fc.string(),
    fc.constantFrom('-d', '-e', '--', '--rm=', '-p', '--time', '--dns="', '-dit'),
  );
  fc.assert(
    fc.property(fc.array(word), fc.boolean(), (argv, interspersed) => {
      try {
        const { args } = parseFlags(table, argv, { interspersed });
        assert.ok(args.length <= argv.length);
      } catch (error) {
        assert.ok(isCryopodError(error, 'USAGE'), String(error));
      }
    }),
  );
});
