import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, readlinkSync } from 'node:fs';
import { chmod, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { run, runOk } from '../../src/system/process.ts';
import { processTree } from '../../src/system/procfs.ts';
import { type Sandbox, withSandbox } from '../fixtures/sandbox.ts';

const IMAGE = 'localhost/busybox:latest';
const COUNT =
  'echo z > /dev/shm/z; echo y > /data/y; i=0; while true; do i=$((i+1)); echo $i > /count; sleep 0.1; done';
/** In no file, argument or log by chance. */
const SECRET = 'hunter2-of-the-container';
const CALLERS = 'hunter2-of-the-caller';

/** Containers, volumes, a kept checkpoint, an archive, an image: all that a store can hold. */
async function useAll(
  cryopod: (args: readonly string[]) => Promise<string>,
  directory: string,
): Promise<void> {
  const archive = join(directory, 'c.tar.zst');
  const options = ['-v', 'data:/data', '-p', '127.0.0.1::80', '--env-file', join(directory, 'env')];
  await cryopod(['run', '-d', '--name', 'c', ...options, IMAGE, 'sh', '-c', COUNT]);
  await cryopod(['exec', '--env-file', join(directory, 'env'), 'c', 'true']);
  await cryopod(['container', 'checkpoint', '--keep', 'c']);
  await cryopod(['container', 'restore', '--keep', 'c']);
  await cryopod(['container', 'checkpoint', '--leave-running', '--export', archive, 'c']);
  await cryopod([
    'container',
    'restore',
    '--import',
    archive,
    '--name',
    'd',
    '--publish',
    '0:80',
    '--ignore-volumes',
  ]);
  await cryopod(['save', '--quiet', '--output', join(directory, 'image.tar'), IMAGE]);
}

for (const umask of ['000', '077']) {
  test(`with umask ${umask}, other users can read nothing of a store, whatever its directory allows`, async () => {
    await withSandbox(async (box) => {
      await writeFile(join(box.directory, 'env'), `SECRET=${SECRET}\n`, { mode: 0o600 });
      const [program = '', ...globals] = box.argv;
      const asIs = ['sh', '-c', `umask ${umask}; exec "$@"`, 'sh', program, ...globals];
      await mkdir(join(box.directory, 'out'));
      await writeFile(join(box.directory, 'out', 'env'), `SECRET=${SECRET}\n`, { mode: 0o600 });
      await useAll((args) => runOk([...asIs, ...args], `run ${args.join(' ')}`), join(box.directory, 'out'));
      for (const path of [box.directory, box.root, box.runroot, join(box.directory, 'out')])
        await chmod(path, 0o755);
      const nobody = ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups'];
      const find = ['find', box.root, box.runroot, join(box.directory, 'out'), '-mindepth', '1', '-readable'];
      const { stdout } = await run([...nobody, ...find]);
      // The image is for whoever is given it, as with podman; an archive holds memory.
      assert.deepEqual(
        stdout.split('\n').filter((path) => path !== '' && !path.endsWith('/image.tar')),
        [],
      );
    });
  });
}

interface Seen {
  readonly arguments: Set<string>;
  readonly environments: Set<string>;
}

const textOf = (path: string): string => {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    // It has ended.
    return '';
  }
};

/** The file that a process runs; that of Node where it cannot be told any more. */
const programOf = (pid: number): string => {
  try {
    return readlinkSync(`/proc/${pid}/exe`);
  } catch {
    return process.execPath;
  }
};

/** Looks at all children of a command again and again until it has ended. */
async function watchChildren(child: ChildProcess, seen: Seen): Promise<void> {
  let isOver = false;
  const ended = once(child, 'close').then(() => {
    isOver = true;
  });
  while (!isOver && child.pid !== undefined) {
    for (const { pid } of processTree(child.pid)) {
      const before = programOf(pid);
      const environment = textOf(`/proc/${pid}/environ`);
      seen.arguments.add(textOf(`/proc/${pid}/cmdline`));
      // A child that has not come to run its program yet is a copy of cryopod, on Node or as an executable.
      const own = [process.execPath, programOf(child.pid)];
      const isCopy = [before, programOf(pid)].some((program) => own.includes(program));
      if (pid !== child.pid && !isCopy) seen.environments.add(environment);
    }
    await new Promise(setImmediate);
  }
  await ended;
}

test("a container's environment is in no log and in no process list, and the caller's reaches no other program", async () => {
  await withSandbox(async (box) => {
    const seen: Seen = { arguments: new Set(), environments: new Set() };
    let logs = '';
    const out = join(box.directory, 'out');
    await mkdir(out);
    await writeFile(join(out, 'env'), `SECRET=${SECRET}\n`, { mode: 0o600 });
    const watched = async (args: readonly string[]): Promise<string> => {
      const [program = '', ...globals] = box.argv;
      const argv = [...globals, '--log-level', 'debug', ...args];
      const child = spawn(program, argv, {
        env: { ...process.env, CALLERS },
        stdio: ['ignore', 'pipe', 'pipe'],
      });
      for (const stream of [child.stdout, child.stderr]) {
        stream.setEncoding('utf8').on('data', (text: string) => {
          logs += text;
        });
      }
      await watchChildren(child, seen);
      assert.equal(child.exitCode, 0, `cryopod ${args.join(' ')}: ${logs}`);
      return '';
    };
    await useAll(watched, out);
    assert.match(logs, /level=debug msg="run .*runc/, 'programs are logged');
    assert.ok([...seen.arguments].some((text) => text.includes('conmon')) && seen.environments.size > 5);
    assert.doesNotMatch(logs, new RegExp(SECRET));
    assert.deepEqual(
      [...seen.arguments].filter((text) => text.includes(SECRET)),
      [],
    );
    assert.deepEqual(
      [...seen.environments].filter((text) => text.includes(CALLERS)),
      [],
    );
    assert.equal(await box.ok(['exec', 'd', 'sh', '-c', 'echo $SECRET$CALLERS']), SECRET);
    await assertMonitorsClean(box);
  });
});

async function assertMonitorsClean(box: Sandbox): Promise<void> {
  const { stdout } = await run(['pgrep', '--full', `conmon.*${box.root}`]);
  const monitors = stdout.trim().split('\n');
  assert.equal(monitors.length, 2);
  for (const pid of monitors)
    assert.doesNotMatch(textOf(`/proc/${pid}/environ`), new RegExp(`${SECRET}|${CALLERS}`));
}

test('names and paths that look like options stay names and paths', async () => {
  await withSandbox(async (box) => {
    const directory = join(box.directory, 'out');
    await mkdir(join(directory, '-dir'), { recursive: true });
    const [program = '', ...globals] = box.argv;
    const cryopod = (...args: string[]) => run([program, ...globals, ...args], { cwd: directory });
    const ok = async (...args: string[]): Promise<void> => {
      const { code, stderr } = await cryopod(...args);
      assert.equal(code, 0, `cryopod ${args.join(' ')}: ${stderr}`);
    };
    await runOk(['cp', '--', box.archive, join(directory, '-rf')], 'copy the archive');
    await ok('import', '--quiet', '--', '-rf', 'localhost/again');
    await ok('run', '-d', '--name', 'c', '-v', './-dir:/data', IMAGE, 'sh', '-c', COUNT);
    await ok('container', 'checkpoint', '--export=-e', 'c');
    await ok('checkpoint', 'inspect', '--', '-e');
    await ok('rm', 'c');
    await ok('container', 'restore', '--trust', '--import=-e');
    await ok('save', '--quiet', '--output=-o', IMAGE);
    await ok('load', '--quiet', '--input=-o');
    for (const args of [
      ['run', '--name=-rf', IMAGE],
      ['volume', 'create', '--', '-rf'],
      ['network', 'create', '--', '-rf'],
      ['tag', IMAGE, '--', '-rf'],
      ['rename', '--', 'c', '-rf'],
      ['run', '--rm', '-v', '-rf:/data', IMAGE, 'true'],
    ]) {
      const { code, stderr } = await cryopod(...args);
      assert.equal(code, 125, args.join(' '));
      assert.match(stderr, /^Error: .*(?:names must match|invalid reference format|"?-rf)/, args.join(' '));
    }
  });
});
