import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { FAULT_POINTS } from '../../src/system/faults.ts';
import { type Machine, withMachine } from '../fixtures/machine.ts';
import { withSandbox } from '../fixtures/sandbox.ts';

const IMAGE = 'localhost/busybox:latest';
/** The number is memory; a file that is open and grows must be there in the size that the process knows. */
const COUNT = 'exec 9>/log; i=0; while true; do i=$((i+1)); echo $i >&9; echo $i > /count; sleep 0.05; done';
const RUN = [
  'run',
  '-d',
  '--name',
  'c',
  '-p',
  '127.0.0.1:0:80',
  '-v',
  'data:/data',
  IMAGE,
  'sh',
  '-c',
  COUNT,
];
const REMOVE = ['rm', '--force', '--time', '0', 'c'];

const archiveOf = ({ root }: Machine): string => join(root, 'c.tar.zst');

const statusOf = async (machine: Machine): Promise<string> =>
  (
    await machine.cryopod(['inspect', '--format', '{{.State.Status}}:{{.State.Checkpointed}}', 'c'])
  ).stdout.trim();

async function counted(machine: Machine): Promise<number> {
  const script = 'until read n < /count && test -n "$n"; do sleep 0.05; done 2>/dev/null; echo $n';
  return Number(await machine.ok(['exec', 'c', 'sh', '-c', script]));
}

/** It is there with its checkpoint, from which it goes on, or stopped as a running container is after a power cut. */
async function assertBack(
  machine: Machine,
  { allowed, thaws }: { readonly allowed: readonly string[]; readonly thaws: boolean },
  before: number,
): Promise<void> {
  const now = await statusOf(machine);
  assert.ok(allowed.includes(now), `it is ${now}`);
  if (now === 'exited:true' || thaws) {
    // Its open file may have grown since, which would rightly keep CRIU from the checkpoint alone.
    await machine.ok(['container', 'restore', thaws ? 'c@one' : 'c']);
    assert.ok((await counted(machine)) >= before, 'it goes on from where it was frozen');
  } else if (now !== '') {
    await machine.ok(['start', 'c']);
    assert.ok((await counted(machine)) > 0);
  }
  if (now !== '') await machine.ok(REMOVE);
  await machine.cryopod(['volume', 'rm', 'data']);
}

interface Verb {
  readonly before: readonly (readonly string[])[];
  readonly command: (machine: Machine) => readonly string[];
  /** Fault points, by the first parts of their names, and what the container may be when the power went there. */
  readonly passes: Readonly<Record<string, readonly string[]>>;
  /** Where its processes were lost right after they had been thawed, and can be thawed again. */
  readonly thawsAgain?: readonly string[];
}

const CHECKPOINT = ['container', 'checkpoint', 'c'];

const VERBS: Readonly<Record<string, Verb>> = {
  run: {
    before: [],
    command: () => RUN,
    passes: { create: ['', 'created:false'], start: ['created:false', 'exited:false'] },
  },
  checkpoint: {
    before: [RUN],
    command: () => CHECKPOINT,
    passes: {
      'checkpoint.journalled': ['exited:false'],
      'checkpoint.held': ['exited:false'],
      'checkpoint.dumped': ['exited:false'],
      'checkpoint.published': ['exited:true'],
      'checkpoint.recorded': ['exited:true'],
      durable: ['exited:false', 'exited:true'],
    },
  },
  restore: {
    before: [RUN, CHECKPOINT],
    command: () => ['container', 'restore', 'c'],
    passes: {
      'restore.journalled': ['exited:true'],
      'restore.mounted': ['exited:true'],
      'restore.running': ['exited:true'],
      'restore.released': ['exited:true'],
      'restore.recorded': ['exited:false'],
    },
  },
  remove: { before: [RUN], command: () => REMOVE, passes: { remove: ['', 'exited:false'] } },
  'going back': {
    before: [RUN, [...CHECKPOINT, '--leave-running', '--tag', 'one'], [...CHECKPOINT, '--tag', 'two']],
    command: () => ['container', 'restore', 'c@one'],
    passes: {
      'back.journalled': ['exited:true'],
      'back.aside': ['exited:true'],
      'back.placed': ['exited:true'],
      'back.running': ['exited:false'],
    },
    thawsAgain: ['back.running'],
  },
};

for (const [name, verb] of Object.entries(VERBS)) {
  test(`${name}: a power cut at any durable step costs nothing that was there before`, async () => {
    await withSandbox(async (box) => {
      await withMachine(box, async (machine) => {
        await machine.ok(['import', '--quiet', box.archive, IMAGE]);
        for (const point of FAULT_POINTS) {
          const allowed = verb.passes[point] ?? verb.passes[point.split('.')[0] ?? ''];
          if (allowed === undefined) continue;
          let count = 0;
          for (const step of verb.before) {
            await machine.ok(step);
            if (step === RUN) count = await counted(machine);
          }
          assert.ok(await machine.cutPowerAt(point, verb.command(machine)), `it passes ${point}`);
          const thaws = verb.thawsAgain?.includes(point) === true;
          await assertBack(machine, { allowed, thaws }, count).catch((error: unknown) => {
            throw new Error(`after a power cut at ${point}`, { cause: error });
          });
        }
      });
    });
  });
}

test('export and import: an archive that has its name after a power cut is whole, and an import leaves it', async () => {
  await withSandbox(async (box) => {
    await withMachine(box, async (machine) => {
      await machine.ok(['import', '--quiet', box.archive, IMAGE]);
      const archive = archiveOf(machine);
      for (const point of ['export.frozen', 'export.finished', 'export.published', 'export.recorded']) {
        await machine.ok(RUN);
        const count = await counted(machine);
        assert.ok(await machine.cutPowerAt(point, ['container', 'checkpoint', '--export', archive, 'c']));
        const now = await statusOf(machine);
        const names = (await machine.run(['ls', '-A', machine.root])).split('\n');
        assert.equal(
          names.includes('c.tar.zst'),
          ['export.published', 'export.recorded'].includes(point),
          point,
        );
        assert.deepEqual(
          names.filter((name) => name.startsWith('.tmp-')),
          [],
        );
        await machine.ok(REMOVE);
        await machine.cryopod(['volume', 'rm', 'data']);
        if (!names.includes('c.tar.zst')) {
          assert.equal(now, 'exited:false', point);
          continue;
        }
        assert.equal(now, 'exited:true', point);
        await machine.ok(['container', 'restore', '--import', archive]);
        assert.ok((await counted(machine)) >= count);
        await machine.ok(REMOVE);
        await machine.cryopod(['volume', 'rm', 'data']);
      }
      for (const point of ['import.journalled', 'import.created', 'restore.running', 'restore.recorded']) {
        assert.ok(await machine.cutPowerAt(point, ['container', 'restore', '--import', archive]), point);
        // Its files were not on disk, and it has not said that it was done.
        assert.equal(await statusOf(machine), '', point);
        assert.equal(await machine.ok(['volume', 'ls', '-q']), '', point);
        await machine.ok(['container', 'restore', '--import', archive]);
        assert.ok((await counted(machine)) > 0);
        await machine.ok(REMOVE);
        await machine.ok(['volume', 'rm', 'data']);
      }
    });
  });
});

test('what a command has reported as done is there after a power cut: an image, a volume, a container, a checkpoint', async () => {
  await withSandbox(async (box) => {
    await withMachine(box, async (machine) => {
      await machine.ok(['import', '--quiet', box.archive, IMAGE]);
      await machine.cutPower();
      await machine.ok(RUN);
      const count = await counted(machine);
      await machine.cutPower();
      assert.equal(await statusOf(machine), 'exited:false');
      assert.equal(await machine.ok(['volume', 'ls', '-q']), 'data');
      await machine.ok(['start', 'c']);
      await machine.ok(CHECKPOINT);
      await machine.cutPower();
      await machine.ok(['container', 'restore', 'c']);
      assert.ok((await counted(machine)) > 0 && count > 0);
      await machine.ok(REMOVE);
      // One that goes on must not have an open file that grows: CRIU would find it changed since the checkpoint.
      const plain = COUNT.replace('exec 9>/log; ', '').replace('echo $i >&9; ', '');
      await machine.ok(['run', '-d', '--name', 'c', IMAGE, 'sh', '-c', plain]);
      await counted(machine);
      await machine.ok(['container', 'checkpoint', '--leave-running', 'c']);
      await machine.cutPower();
      assert.equal(await statusOf(machine), 'exited:false');
      await machine.ok(['container', 'restore', 'c']);
      assert.ok((await counted(machine)) > 0);
      await machine.ok(REMOVE);
    });
  });
});

test('after a reboot frozen containers thaw with their address and ports, and those that ran show as exited', async () => {
  await withSandbox(async (box) => {
    await withMachine(box, async (machine) => {
      await machine.ok(['import', '--quiet', box.archive, IMAGE]);
      const serve = 'echo hello > /index.html; exec busybox httpd -f -p 80 -h /';
      const web = ['run', '-d', '--name', 'web', '-p', '127.0.0.1:8080:80', '-v', 'data:/data', IMAGE];
      await machine.ok([...web, 'sh', '-c', serve]);
      await machine.ok(RUN);
      const get = ['wget', '-q', '-O', '-', '-T', '10', 'http://127.0.0.1:8080/index.html'];
      const address = await machine.ok(['inspect', '--format', '{{.NetworkSettings.IPAddress}}', 'web']);
      await machine.run(['sh', '-c', `until ${get.join(' ')}; do sleep 0.1; done`]);
      await machine.ok(['exec', 'web', 'sh', '-c', 'echo kept > /data/file']);
      await machine.ok(['container', 'checkpoint', 'web']);
      await machine.reboot();
      const states = await machine.ok([
        'ps',
        '--all',
        '--sort',
        'names',
        '--format',
        '{{.Names}} {{.State}}',
      ]);
      assert.equal(states, 'c exited\nweb exited');
      await machine.ok(['container', 'restore', 'web']);
      assert.equal((await machine.run(get)).trim(), 'hello');
      assert.equal(await machine.ok(['exec', 'web', 'cat', '/data/file']), 'kept');
      assert.equal(
        await machine.ok(['inspect', '--format', '{{.NetworkSettings.IPAddress}}', 'web']),
        address,
      );
      await machine.ok(['start', 'c']);
      assert.ok((await counted(machine)) > 0);
      await machine.ok(['rm', '--force', '--all', '--time', '0']);
    });
  });
});
