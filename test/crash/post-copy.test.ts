import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { processStat, processTree } from '../../src/system/procfs.ts';
import { eventually } from '../contract/support.ts';
import { type MemoryProgram, memoryCommand, memoryProgram } from '../fixtures/memory.ts';
import { processesOf } from '../fixtures/memory-program.ts';
import type { Result } from '../fixtures/sandbox.ts';
import { script } from '../fixtures/ssh.ts';
import { type Host, type TwoHosts, withTwoHosts } from '../fixtures/two-hosts.ts';
import { leftovers, unfinished } from './support.ts';

const MEBIBYTES = 48;

interface Broken {
  /** What the command said that was to move it; undefined where it was killed. */
  readonly said?: Result;
  readonly hosts: TwoHosts;
  readonly program: MemoryProgram;
}

const names = ({ box }: Host): Promise<string> =>
  box.ok(['ps', '--all', '--format', '{{.Names}} {{.State}}']);

/** Words of `migrate --via` that reach the second host's `receive` with this fault. */
async function via({ box }: Host, fault: string): Promise<string> {
  const bin = join(box.directory, 'bin');
  await mkdir(bin, { recursive: true });
  await script(join(bin, 'cryopod'), box.argv);
  return `env TMPDIR=${box.directory} CRYOPOD_FAULT=${fault} PATH=${bin}:${process.env.PATH}`;
}

/**
 * However it broke: it runs in one place or is stopped in one with a checkpoint that can be restored, both sides say so, and
 * every page is right. It runs at the first host again afterwards.
 */
async function assertInOnePlace({ said, hosts, program }: Broken): Promise<string> {
  const { one, two } = hosts;
  await names(one);
  await names(two);
  const doubt = await one.box.cryopod(['migrate', '--settle', 'm']);
  const [here, there] = [await names(one), await names(two)];
  assert.ok(
    (here === '') !== (there === ''),
    `here "${here}", there "${there}": ${said?.stderr}${doubt.stderr}`,
  );
  for (const { box } of [one, two]) {
    assert.deepEqual(unfinished(box), []);
    assert.deepEqual(await leftovers(box), []);
    await eventually('no server of pages is left', async () => processesOf(box, 'lazy-pages').length === 0);
  }
  if (there !== '') {
    assert.equal(there, 'm running');
    await program.verify(two.box);
    await two.box.ok(['migrate', '--mode', 'cold', 'm', one.login]);
  } else if (here !== 'm running') {
    assert.equal(here, 'm exited');
    if (said !== undefined) assert.match(said.stderr, /cryopod container restore m$/m);
    await one.box.ok(['container', 'restore', 'm']);
  }
  await program.verify(one.box);
  return there === '' ? 'here' : 'there';
}

async function withProgram(work: (hosts: TwoHosts, program: MemoryProgram) => Promise<void>): Promise<void> {
  await withTwoHosts(
    async (hosts) => {
      const { box } = hosts.one;
      await box.ok(memoryCommand('m', MEBIBYTES, await box.image('perl')));
      const program = await memoryProgram(box, 'm');
      await program.change(box);
      await work(hosts, program);
    },
    { images: ['perl'] },
  );
}

test('a post-copy that breaks at any step of either side leaves the container in exactly one place', async () => {
  await withProgram(async (hosts, program) => {
    const { one, two } = hosts;
    const at = async (here: string, there: string): Promise<string> => {
      const words = ['migrate', '--mode', 'post-copy', '--via', await via(two, there), 'm'];
      const said = await one.box.cryopod(words, { CRYOPOD_FAULT: here });
      const isKilled = said.code === -1 || said.code === 137;
      return await assertInOnePlace({ ...(isKilled ? {} : { said }), hosts, program });
    };
    for (const action of ['kill', 'eio']) {
      assert.equal(await at(`migrate.arrived:${action}`, ''), 'here');
      assert.equal(await at('', `receive.pages:${action}`), 'here');
      assert.equal(await at('', `receive.whole:${action}`), 'here');
    }
    for (const point of ['migrate.doubtful', 'migrate.kept-here']) {
      assert.equal(await at(`${point}:kill`, 'receive.whole:kill'), 'here');
    }
    assert.equal(await at('', 'receive.running:kill'), 'there');
  });
});

/** Processes to kill while memory is under way. */
const VICTIMS: Readonly<Record<string, (hosts: TwoHosts, migrate: number) => readonly number[]>> = {
  'the command at the source': (_, migrate) => [migrate],
  'the link': (_, migrate) =>
    processTree(migrate)
      .filter(({ name }) => name === 'ssh')
      .map(({ pid }) => pid),
  'the receiving process': ({ two }) => processesOf(two.box, 'receive'),
};

test('a post-copy whose link or command is killed while memory is under way leaves its checkpoint at the source', async () => {
  await withProgram(async (hosts, program) => {
    const { one, two } = hosts;
    for (const [what, find] of Object.entries(VICTIMS)) {
      const words = ['migrate', '--mode', 'post-copy', '--bwlimit', '8m', 'm', two.login];
      const command = one.box.start(words);
      let stderr = '';
      command.stderr?.on('data', (text) => {
        stderr += String(text);
      });
      command.stdout?.resume();
      const ended = once(command, 'close');
      await eventually('it runs there', async () => (await names(two)).includes('m running'));
      const migrate = processesOf(one.box, 'migrate')[0] ?? assert.fail(`${what}: the move is over`);
      const pids = find(hosts, migrate);
      assert.ok(pids.length > 0, `${what} is there`);
      for (const pid of pids) process.kill(pid, 'SIGKILL');
      const [code] = (await ended) as [number | null];
      assert.notEqual(code, 0, what);
      const said = code === null ? {} : { said: { code, stdout: '', stderr } };
      assert.equal(await assertInOnePlace({ ...said, hosts, program }), 'here', what);
    }
  });
});

/** The process that keeps others waiting for memory should the receiving one die (engine/migrate/lazy-arrival.ts). */
const keepersOf = ({ box }: Host): number[] =>
  processesOf(box, 'receive')
    .flatMap((pid) => processTree(pid))
    .filter(({ name }) => name === 'sleep')
    .map(({ pid }) => pid);

test('who lost the memory waits and never reads zeros: killed in the middle, it is ended by the next command', async () => {
  await withProgram(async ({ one, two }, program) => {
    const command = one.box.start(['migrate', '--mode', 'post-copy', '--bwlimit', '8m', 'm', two.login]);
    command.stdout?.resume();
    command.stderr?.resume();
    const ended = once(command, 'close');
    await eventually('it runs there', async () => (await names(two)).includes('m running'));
    const keepers = keepersOf(two);
    assert.equal(keepers.length, 1);
    const [pid, log] = (
      await two.box.ok(['inspect', '--format', '{{.State.Pid}} {{.HostConfig.LogConfig.Path}}', 'm'])
    ).split(' ') as [string, string];
    const before = readFileSync(log, 'utf8');
    await two.box.ok(['kill', '--signal', 'USR1', 'm']);
    const killed = [...processesOf(two.box, 'receive'), ...processesOf(one.box, 'migrate')];
    // Both at once, so that the source does not ask what has become of it.
    for (const one of killed) process.kill(one, 'SIGKILL');
    assert.notDeepEqual(await ended, [0, null]);
    // It compares all of its memory, of which most is missing.
    await eventually('it waits', async () =>
      readFileSync(`/proc/${pid}/wchan`, 'utf8').includes('userfault'),
    );
    assert.equal(readFileSync(log, 'utf8'), before);
    assert.equal(await assertInOnePlace({ hosts: { one, two }, program }), 'here');
    for (const keeper of keepers)
      await eventually('nothing keeps it', async () => processStat(keeper) === undefined);
  });
});
