import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { hostFacts } from '../../src/runtime/spec/host.ts';
import { waitFor } from '../../src/system/clock.ts';
import { mount, unmountTree } from '../../src/system/mounts.ts';
import { LIMIT_MS } from '../fixtures/limit.ts';
import { withSandbox } from '../fixtures/sandbox.ts';
import { assertNotFrozen, startPerl } from './support.ts';

test('a file that is deleted, open and too big is named with its size', async () => {
  await withSandbox(async (box) => {
    await startPerl(
      box,
      'c',
      `open($f, '+>', '/big') or die; syscall(285, fileno($f), 0, 0, 1100 * 1024**2) == 0 or die $!; unlink '/big'`,
    );
    await assertNotFrozen(
      box,
      'c',
      /process \d+ \(perl\) keeps the file \S*big\S* open, which is deleted and has 11534\d+ bytes/,
      /1 GiB/,
    );
  });
});

test('a unix socket that leads out of the container is named', async () => {
  await withSandbox(async (box) => {
    const directory = join(box.directory, 'outside');
    await mkdir(directory, { mode: 0o755 });
    const server = createServer(() => undefined).listen(join(directory, 'socket'));
    await once(server, 'listening');
    try {
      await startPerl(
        box,
        'c',
        `use Socket; socket($s, PF_UNIX, SOCK_STREAM, 0) or die; connect($s, pack_sockaddr_un('/outside/socket')) or die $!`,
        ['-v', `${directory}:/outside`],
      );
      await assertNotFrozen(
        box,
        'c',
        /process \d+ \(perl\) is connected over a unix socket to a process outside the container/,
        /socket/,
      );
    } finally {
      server.close();
      server.unref();
    }
  });
});

test('io_uring is named', async () => {
  await withSandbox(async (box) => {
    // io_uring_setup(2) has the number 425 on all architectures.
    await startPerl(box, 'c', `$p = "\\0" x 120; $fd = syscall(425, 4, $p); $fd >= 0 or die "io_uring: $!"`, [
      '--security-opt',
      'seccomp=unconfined',
    ]);
    await assertNotFrozen(box, 'c', /process \d+ \(perl\) uses io_uring/, /io_uring off/, {
      preflight: true,
    });
  });
});

test('a device that CRIU cannot save is named', async () => {
  await withSandbox(async (box) => {
    await startPerl(box, 'c', `open($f, '+<', '/dev/fuse') or die $!`, ['--device', '/dev/fuse']);
    await assertNotFrozen(
      box,
      'c',
      /process \d+ \(perl\) has the device \/dev\/fuse open/,
      /close the device/,
    );
  });
});

test('a program that is being traced is named', async () => {
  await withSandbox(async (box) => {
    await startPerl(box, 'c', '1');
    const pid = await box.ok(['inspect', '--format', '{{.State.Pid}}', 'c']);
    const tracer = spawn('perl', [
      '-e',
      `$| = 1; syscall(101, 16, ${pid}, 0, 0) == 0 or die $!; waitpid(${pid}, 0); syscall(101, 7, ${pid}, 0, 0); print "traced\\n"; sleep 1000`,
    ]);
    await once(tracer.stdout, 'data');
    try {
      await assertNotFrozen(box, 'c', /process \d+ \(perl\) is traced by process \d+ \(perl\)/, /debugger/, {
        preflight: true,
      });
    } finally {
      tracer.kill('SIGKILL');
      await once(tracer, 'exit');
    }
  });
});

test('a file system without room for the memory is refused before anything is frozen', async () => {
  await withSandbox(async (box) => {
    const small = join(box.directory, 'small');
    await mkdir(small);
    await mount('tmpfs', 'tmpfs', small, ['size=64m', 'mode=700']);
    const there = (...args: string[]): string[] => ['--root', small, ...args];
    try {
      await box.ok(there('import', '--quiet', box.archive, 'localhost/small:latest'));
      // A variable of a shell is memory that is in no file.
      const hog = 'x=$(head -c 80000000 /dev/zero | tr "\\0" y); echo ready; sleep 1000; true';
      await box.ok(
        there('run', '-d', '--name', 'c', '--network', 'none', 'localhost/small:latest', 'sh', '-c', hog),
      );
      await waitFor(async () => (await box.ok(there('logs', 'c'))).includes('ready'), LIMIT_MS);
      const { code, stderr } = await box.cryopod(there('container', 'checkpoint', 'c'));
      assert.equal(code, 125);
      assert.match(stderr, /its memory takes up to \d+ bytes and \S+ has \d+ free; it goes on running/);
      assert.equal((await box.cryopod(there('exec', 'c', 'true'))).code, 0);
    } finally {
      await box.cryopod(there('rm', '-f', '-t', '0', 'c'));
      await unmountTree(small);
    }
  });
});

test('an established connection and a file lock are told with the option that helps', async () => {
  await withSandbox(async (box) => {
    await startPerl(
      box,
      'tcp',
      `use Socket; socket($l, PF_INET, SOCK_STREAM, 0); bind($l, sockaddr_in(7000, INADDR_LOOPBACK)) or die; listen($l, 1); socket($c, PF_INET, SOCK_STREAM, 0); connect($c, sockaddr_in(7000, INADDR_LOOPBACK)) or die; accept($a, $l) or die`,
    );
    await assertNotFrozen(
      box,
      'tcp',
      /process \d+ \(perl\) has an established TCP connection 127\.0\.0\.1:\d+ to 127\.0\.0\.1:\d+/,
      /--tcp-established/,
      { preflight: true },
    );
    await startPerl(box, 'lock', `open($f, '>', '/lock'); flock($f, 2) or die`);
    await assertNotFrozen(box, 'lock', /holds? a file lock/, /--file-locks/, { preflight: true });
  });
});

test('a stopped process is refused instead of hanging (cgroup v1)', async () => {
  await withSandbox(async (box) => {
    await startPerl(box, 'c', `if (!fork) { kill 'STOP', $$; sleep 1 while 1 } sleep 1`);
    if (hostFacts().cgroupVersion === 2) {
      await box.ok(['container', 'checkpoint', 'c']);
      return;
    }
    await assertNotFrozen(box, 'c', /process \d+ \(perl\) is stopped by a signal/, /kill -CONT \d+/, {
      preflight: true,
    });
    await box.ok(['exec', 'c', 'sh', '-c', 'kill -CONT -1']);
    await box.ok(['container', 'checkpoint', 'c']);
  });
});

test('a terminal from outside is refused, since no restore could bring it back', async () => {
  await withSandbox(async (box) => {
    const outside = spawn('script', ['-qfec', 'tty; sleep 1000', '/dev/null'], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    try {
      const [said] = (await once(outside.stdout, 'data')) as [Buffer];
      const terminal = said.toString().trim();
      assert.match(terminal, /^\/dev\/pts\/\d+$/);
      await startPerl(box, 'c', `open($f, '+<', '/outside') or die $!`, ['-v', `${terminal}:/outside`]);
      await assertNotFrozen(
        box,
        'c',
        /process \d+ \(perl\) uses the terminal \/\S+, which comes from outside/,
        /-t/,
        { preflight: true },
      );
      await startPerl(box, 'own', `open($f, '+<', '/dev/tty') or die $!`, ['-t']);
      await box.ok(['container', 'checkpoint', 'own']);
      await box.ok(['container', 'restore', 'own']);
    } finally {
      outside.kill('SIGKILL');
      await once(outside, 'exit');
    }
  });
});
