import assert from 'node:assert/strict';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { waitFor } from '../../src/system/clock.ts';
import { LIMIT_MS } from '../fixtures/limit.ts';
import { type Sandbox, withSandbox } from '../fixtures/sandbox.ts';

/**
 * Three processes: a perl program with a file open for writing, a listening TCP socket and a pair of unix sockets, whose
 * memory alone holds a secret; its child, with another environment; a zombie.
 */
const SERVE = `
  use strict; use Socket; use IO::Handle; $| = 1;
  my $secret = join '', reverse split //, '7f3a-eulav-terces-eht';
  open(my $log, '>>', '/tmp/log') or die; syswrite $log, 'hello';
  socket(my $tcp, PF_INET, SOCK_STREAM, 6) or die;
  setsockopt $tcp, SOL_SOCKET, SO_REUSEADDR, 1;
  bind($tcp, sockaddr_in(8080, inet_aton('127.0.0.1'))) or die; listen($tcp, 5) or die;
  socketpair(my $one, my $two, PF_UNIX, SOCK_STREAM, 0) or die;
  if (!fork) { $ENV{ROLE} = 'child'; exec 'sleep', '100000' }
  if (!fork) { exit 7 }
  sleep 1;
  print "ready\\n";
  my $n = 0; my $block = 'x' x 20000;
  while (1) { $n++; substr($block, 5000, 8) = sprintf('%08d', $n); select undef, undef, undef, 0.02 }`;
const SECRET = 'the-secret-value-a3f7';

interface Node {
  readonly pid: number;
  readonly command: string;
  readonly args: readonly string[];
  readonly task_state: string;
  readonly environment_variables?: Readonly<Record<string, string>>;
  readonly memory: { readonly size: number };
  readonly children?: readonly Node[];
}

interface Report {
  readonly container_name: string;
  readonly image: string;
  readonly hostname: string;
  readonly checkpoint_size: { readonly total_size: number; readonly memory_pages_size: number };
  readonly statistics?: { readonly pages_written: number };
  readonly process_tree: Node;
  readonly file_descriptors: readonly {
    readonly pid: number;
    readonly open_files: readonly {
      readonly fd: string;
      readonly path: string;
      readonly position?: number;
    }[];
  }[];
  readonly sockets: readonly {
    readonly pid: number;
    readonly open_sockets: readonly { readonly data: Readonly<Record<string, unknown>> }[];
  }[];
  readonly mounts: readonly { readonly destination: string }[];
}

interface Diff {
  readonly memory: readonly { readonly pid: number; readonly equal: number; readonly changed: number }[];
  readonly processes: {
    readonly gone: readonly { readonly pid: number }[];
    readonly added: readonly unknown[];
  };
  readonly rootfs?: {
    readonly added: readonly string[];
    readonly gone: readonly string[];
    readonly changed: readonly string[];
  };
}

async function serve(box: Sandbox): Promise<void> {
  const options = ['--name', 'c', '--hostname', 'frozen', '-e', 'COLOUR=green'];
  await box.ok(['run', '-d', ...options, await box.image('perl'), 'perl', '-e', SERVE]);
  const ready = await waitFor(async () => (await box.ok(['logs', 'c'])).includes('ready'), LIMIT_MS);
  assert.equal(ready, true, 'the program is ready');
}

const json = async <T>(box: Sandbox, ...args: string[]): Promise<T> =>
  JSON.parse(await box.ok(['checkpoint', ...args, '--format', 'json'])) as T;

const imagesOf = async (box: Sandbox): Promise<string> =>
  join(box.root, 'containers', await box.ok(['inspect', '-f', '{{.Id}}', 'c']), 'userdata', 'checkpoint');

test("A container's checkpoint is seen through without a restore", () =>
  withSandbox(
    async (box) => {
      await serve(box);
      await box.ok(['container', 'checkpoint', '--leave-running', '--keep', 'c']);
      const report = await json<Report>(box, 'inspect', '--all', 'c');
      assert.deepEqual(
        [report.container_name, report.image, report.hostname],
        ['c', 'localhost/perl:latest', 'frozen'],
      );
      const { process_tree: init } = report;
      assert.deepEqual([init.pid, init.command, init.args], [1, 'perl', ['perl', '-e', SERVE]]);
      assert.equal(init.environment_variables?.COLOUR, 'green');
      assert.equal(init.environment_variables?.ROLE, undefined);
      const [child, ended, ...others] = init.children ?? [];
      assert.deepEqual([child?.args, child?.environment_variables?.ROLE], [['sleep', '100000'], 'child']);
      assert.deepEqual([ended?.task_state, ended?.memory.size, others], ['Dead', 0, []]);

      const files = report.file_descriptors.find(({ pid }) => pid === 1)?.open_files ?? [];
      assert.equal(files.find(({ path }) => path === '/tmp/log')?.position, 5);
      assert.deepEqual(
        files.filter(({ fd }) => fd === 'cwd').map(({ path }) => path),
        ['/'],
      );
      const [sockets, ...otherSockets] = report.sockets;
      assert.deepEqual([sockets?.pid, otherSockets.length], [1, 0], 'perl closes its sockets on exec');
      const data = sockets?.open_sockets.map((socket) => socket.data) ?? [];
      const tcp = data.filter(({ type }) => type === 'TCP');
      assert.deepEqual(
        tcp.map(({ state, src, src_port }) => [state, src, src_port]),
        [['LISTEN', '127.0.0.1', 8080]],
      );
      assert.equal(data.filter(({ type }) => type === 'UNIX').length, 2);
      assert.ok(report.mounts.some(({ destination }) => destination === '/proc'));
      assert.ok((report.statistics?.pages_written ?? 0) > 0);

      const text = await box.ok(['checkpoint', 'inspect', '--ps-tree', '--files', '--sockets', 'c']);
      assert.match(text, /^1 .* perl -e /m);
      assert.match(text, /^\d+ .* ├─ sleep 100000$/m);
      assert.match(text, /^1 +\d+ +REG +w +5 +\/tmp\/log$/m);
      assert.match(text, /^1 +\d+ +TCP +LISTEN +127\.0\.0\.1:8080 +-$/m);
      assert.doesNotMatch(text, /green/);
      assert.equal(await box.ok(['checkpoint', 'inspect', '-f', '{{.process_tree.command}}', 'c']), 'perl');
    },
    { images: [] },
  ));

test('The figures are those of the image files', () =>
  withSandbox(
    async (box) => {
      await serve(box);
      await box.ok(['container', 'checkpoint', '--leave-running', 'c']);
      const images = await imagesOf(box);
      const sizes = new Map<string, number>();
      for (const name of await readdir(images)) sizes.set(name, (await readFile(join(images, name))).length);
      const sum = (prefix: string): number =>
        [...sizes].reduce((all, [name, size]) => all + (name.startsWith(prefix) ? size : 0), 0);
      const report = await json<Report>(box, 'inspect', 'c');
      assert.deepEqual(report.checkpoint_size, { total_size: sum(''), memory_pages_size: sum('pages-') });
      const rows = await json<{ pid: number; memory_size: number; shared_memory_size: number }[]>(
        box,
        'mem',
        'c',
      );
      const memory = rows.reduce((all, row) => all + row.memory_size, 0);
      assert.equal(memory, sum('pages-'), 'each saved page belongs to one process');
      assert.equal(report.process_tree.memory.size, rows.find(({ pid }) => pid === 1)?.memory_size);
      const dump = join(box.directory, 'raw');
      await box.ok(['checkpoint', 'mem', '--pid', '1', '--raw', '--output', dump, 'c']);
      assert.equal((await readFile(dump)).length, report.process_tree.memory.size);
    },
    { images: [] },
  ));

test('A secret in memory is found, at the process that knows it', () =>
  withSandbox(
    async (box) => {
      await serve(box);
      await box.ok(['container', 'checkpoint', '--leave-running', 'c']);
      const found = await json<{ pid: number; match: string; address: string }[]>(
        box,
        'mem',
        '--search',
        SECRET,
        'c',
      );
      assert.ok(found.length > 0);
      assert.deepEqual([...new Set(found.map(({ pid, match }) => `${pid} ${match}`))], [`1 ${SECRET}`]);
      const byRegex = await json<typeof found>(
        box,
        'mem',
        '--search-regex',
        'the-secret-[a-z]+-[0-9a-f]{4}',
        'c',
      );
      assert.deepEqual(byRegex, found);
      assert.match(await box.ok(['checkpoint', 'mem', '--strings', '--pid', '1', 'c']), new RegExp(SECRET));
      const dump = await box.ok(['checkpoint', 'mem', '--dump', '--pid', '1', 'c']);
      const row = `${BigInt(`0x${found[0]?.address}`).toString(16).slice(0, -1)}0`.padStart(16, '0');
      assert.match(dump, new RegExp(`^${row}  `, 'm'));
      const none = await box.cryopod(['checkpoint', 'mem', '--search', 'nobody knows this', 'c']);
      assert.deepEqual([none.code, none.stdout], [1, '']);
      const wrong = await box.cryopod(['checkpoint', 'mem', '--search', 'x', '--pid', '4711', 'c']);
      assert.match(wrong.stderr, /no process with PID 4711/);
    },
    { images: [] },
  ));

test('Two archives of a counting program differ in a few pages, an ended child and a file', () =>
  withSandbox(
    async (box) => {
      await serve(box);
      const [before, after] = [join(box.directory, 'before.tar.zst'), join(box.directory, 'after.tar')];
      await box.ok(['container', 'checkpoint', '--leave-running', '--export', before, 'c']);
      const pid = await box.ok([
        'checkpoint',
        'inspect',
        '-f',
        '{{(index .process_tree.children 0).pid}}',
        before,
      ]);
      await box.ok(['exec', 'c', 'sh', '-c', `kill -9 ${pid}; echo more >/tmp/second; rm /etc/passwd`]);
      const options = ['--leave-running', '--compress', 'none', '--export', after];
      await box.ok(['container', 'checkpoint', ...options, 'c']);
      const same = await json<Diff>(box, 'diff', before, before);
      assert.deepEqual([same.memory.every(({ changed }) => changed === 0), same.processes.gone], [true, []]);
      assert.deepEqual(same.rootfs, { added: [], gone: [], changed: [] });
      const diff = await json<Diff>(box, 'diff', before, after);
      const perl = diff.memory.find((one) => one.pid === 1);
      assert.ok(perl !== undefined && perl.changed > 0 && perl.equal > perl.changed, JSON.stringify(perl));
      assert.deepEqual(diff.rootfs?.added, ['/etc', '/etc/passwd', '/tmp/second']);
      const text = await box.ok(['checkpoint', 'diff', before, after]);
      assert.match(text, new RegExp(`^~ ${pid} \\[sleep\\]: state Alive → Dead`, 'm'));
      assert.match(text, /^\+ \/tmp\/second$/m);
      assert.match(text, /^1 +[0-9a-f]{16} +rw-p +[1-9]\d* +0 +0 +\[heap\]$/m);
      assert.match(await box.ok(['checkpoint', 'inspect', after]), /^Engine: +cryopod /m);
      assert.deepEqual(await readdir(join(box.root, 'staging')), [], 'nothing that was unpacked is left');
    },
    { images: [] },
  ));

test('A reader that goes away and an interruption leave nothing unpacked behind', () =>
  withSandbox(
    async (box) => {
      await serve(box);
      const archive = join(box.directory, 'c.tar.zst');
      await box.ok(['container', 'checkpoint', '--leave-running', '--export', archive, 'c']);
      const staged = async (): Promise<string[]> => await readdir(join(box.root, 'staging'));
      const ends = (child: ReturnType<Sandbox['start']>): Promise<unknown> =>
        new Promise((resolve) => child.on('exit', (code) => resolve(code)));
      const reader = box.start(['checkpoint', 'mem', '--strings', '--min', '1', archive]);
      reader.stdout?.once('data', () => reader.stdout?.destroy());
      assert.equal(await ends(reader), 0);
      assert.deepEqual(await staged(), []);
      // Its output is not read: it waits in the middle of its work.
      const killed = box.start(['checkpoint', 'mem', '--strings', '--min', '1', archive]);
      assert.equal(await waitFor(async () => (await staged()).length > 0, LIMIT_MS), true);
      killed.kill('SIGKILL');
      await ends(killed);
      assert.equal((await staged()).length, 1);
      await box.ok(['checkpoint', 'inspect', archive]);
      assert.deepEqual(await staged(), [], 'the next look removes what a killed one left');
    },
    { images: [] },
  ));

test('What holds no checkpoint is told as such', () =>
  withSandbox(async (box) => {
    await box.ok(['create', '--name', 'c', await box.image('busybox'), 'true']);
    const complaint = async (name: string): Promise<string> => {
      const { code, stderr } = await box.cryopod(['checkpoint', 'inspect', name]);
      assert.equal(code, 125);
      return stderr;
    };
    assert.match(await complaint('c'), /container c has no checkpoint/);
    assert.match(await complaint('busybox'), /image busybox holds no checkpoint/);
    assert.match(await complaint('nothing'), /no checkpoint "nothing"/);
    assert.match(await complaint('./nothing'), /no checkpoint ".\/nothing"/);
    assert.match(await complaint(box.archive), /no sound checkpoint archive|no complete checkpoint/);
  }));
