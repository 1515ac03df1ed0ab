import assert from 'node:assert/strict';
import { mkdirSync, openSync, readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { arch } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { diagnose } from '../../src/criu/diagnose.ts';
import { run } from '../../src/system/process.ts';
import {
  type CriuRun,
  dump,
  inScratch,
  killRestored,
  startContainer,
  startPerl,
  type Undo,
  waitForFile,
} from './support.ts';

/** System call numbers that the subjects need; io_uring_setup is 425 everywhere (Linux unistd.h). */
const CALL =
  arch() === 'arm64'
    ? { ptrace: 117, unshare: 97, shmat: 196, userfaultfd: 282, inotifyInit: 26, inotifyAdd: 27 }
    : { ptrace: 101, unshare: 272, shmat: 30, userfaultfd: 323, inotifyInit: 294, inotifyAdd: 254 };

const TCP_LISTEN = `use IO::Socket; my $l = IO::Socket::INET->new(Listen => 5, LocalAddr => '127.0.0.1');`;
const CONNECT = `IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $l->sockport)`;
const GO_ON = 'ready(); sleep 1 while 1;';

/** Dumps a Perl subject, which must fail, and checks what is made of the log. */
function refuses(
  title: string,
  code: (directory: string) => string,
  sentence: RegExp,
  hint: RegExp,
  flags: readonly string[] = [],
): void {
  test(title, () =>
    inScratch(async (directory, undo) => {
      const subject = await startPerl(directory, undo, code(directory));
      assertExplained(await dump(directory, subject.pid, flags), sentence, hint);
      assert.equal(process.kill(subject.pid, 0), true, 'the process goes on');
    }),
  );
}

function assertExplained({ result, log }: CriuRun, sentence: RegExp, hint: RegExp): void {
  assert.equal(result.ok, false, 'CRIU refuses');
  const diagnosis = diagnose('dump', log, { processes: new Map(), external: undefined });
  assert.match(diagnosis.sentence, sentence);
  assert.match(diagnosis.hint, hint);
  assert.match(diagnosis.lines[0] ?? '', /Error \(|Warn/);
}

refuses(
  'an established connection is told with its process and address',
  () => `${TCP_LISTEN} my $c = ${CONNECT}; my $a = $l->accept; ${GO_ON}`,
  /^process \d+ \(perl\) has an established TCP connection at 127\.0\.0\.1:\d+$/,
  /--tcp-established/,
);

refuses(
  'a connection that is not accepted yet is told as such',
  () => `${TCP_LISTEN} if (!fork) { my $c = ${CONNECT}; ${GO_ON} } sleep 1 while 1;`,
  /^process \d+ \(perl\) has a connection that is being opened at 127\.0\.0\.1:\d+ and not accepted yet$/,
  /again/,
  ['--tcp-established'],
);

refuses(
  'a socket of Multipath TCP is named',
  () => `use Socket; socket(my $s, AF_INET, SOCK_STREAM, 262) or die; ${GO_ON}`,
  /^process \d+ \(perl\) has a socket of Multipath TCP/,
  /plain TCP/,
);

refuses(
  'an flock is told with its process and file',
  (directory) => `open F, '>${directory}/locked'; flock(F, 2) or die; ${GO_ON}`,
  /^process \d+ \(perl\) holds a lock of the file \S+\/locked$/,
  /--file-locks/,
);

refuses(
  'a record lock is told with its process and file',
  (directory) =>
    `use Fcntl; open F, '>${directory}/locked'; my $k = pack('s s x4 q q i', F_WRLCK, 0, 0, 10, 0); fcntl(F, F_SETLK, $k) or die; ${GO_ON}`,
  /^process \d+ \(perl\) holds a lock of the file \S+\/locked$/,
  /--file-locks/,
);

refuses(
  'a deleted file that is too big is told with its size',
  (directory) =>
    `open F, '>${directory}/big'; print F 'x' x 3000000; F->flush; unlink '${directory}/big'; ${GO_ON}`,
  /^process \d+ \(perl\) keeps the file \S+\/big open, which is deleted and has 300\d+ bytes$/,
  /close it/,
);

refuses(
  'a deleted name of a file that lives on is told',
  (directory) =>
    `open F, '>${directory}/one'; print F 'x'; F->flush; link '${directory}/one', '${directory}/two'; unlink '${directory}/one'; ${GO_ON}`,
  /^process \d+ \(perl\) keeps a file open whose name \S+\/one is deleted/,
  /name back/,
);

refuses(
  'io_uring is named',
  () => `my $p = "\\0" x 200; syscall(425, 8, $p) >= 0 or die; ${GO_ON}`,
  /^process \d+ \(perl\) uses io_uring/,
  /io_uring off/,
);

refuses(
  'a descriptor of a kind that CRIU cannot save is told with its kind',
  () => `syscall(${CALL.userfaultfd}, 0) >= 0 or die; ${GO_ON}`,
  /^process \d+ \(perl\) has a file open \(descriptor \d+\) of a kind that CRIU cannot save: anon_inode:\[userfaultfd\]$/,
  /close it/,
);

refuses(
  'System V shared memory of the host is named',
  () => `my $id = shmget(0, 4096, 01600); syscall(${CALL.shmat}, $id, 0, 0); shmctl($id, 0, 0); ${GO_ON}`,
  /^process \d+ \(perl\) uses System V shared memory of the host$/,
  /--ipc/,
);

refuses(
  'a namespace that a child made is told with its kind',
  () => `if (!fork) { syscall(${CALL.unshare}, 0x04000000) == 0 or die; ${GO_ON} } sleep 1 while 1;`,
  /^process \d+ has made a uts namespace of its own/,
  /inside containers/,
);

test('a kernel without tracking of changed pages is told', (context) =>
  inScratch(async (directory, undo) => {
    const feature = await run(['criu', 'check', '--feature', 'mem_dirty_track']);
    if (feature.ok) return context.skip('this kernel tracks changed pages');
    const subject = await startPerl(directory, undo, GO_ON);
    assertExplained(await dump(directory, subject.pid, ['--track-mem']), /soft-dirty/, /full checkpoint/);
  }));

test('a process that is being traced is named', () =>
  inScratch(async (directory, undo) => {
    const subject = await startPerl(directory, undo, GO_ON);
    await startPerl(
      directory,
      undo,
      `syscall(${CALL.ptrace}, 16, ${subject.pid}, 0, 0) == 0 or die; ${GO_ON}`,
      'tracer',
    );
    assertExplained(await dump(directory, subject.pid), /^process \d+ \(perl\) is traced/, /debugger/);
  }));

test('a unix socket that leads out is told with its name', () =>
  inScratch(async (directory, undo) => {
    const path = join(directory, 'sock');
    const server = createServer();
    await new Promise<void>((resolve) => {
      server.listen(path, resolve);
    });
    server.unref();
    undo.add(() => server.close());
    const code = `use Socket; socket(my $c, AF_UNIX, SOCK_STREAM, 0); connect($c, sockaddr_un('${path}')) or die; ${GO_ON}`;
    const subject = await startPerl(directory, undo, code);
    assertExplained(
      await dump(directory, subject.pid),
      /^process \d+ \(perl\) is connected over a unix socket .*, through the socket \S+\/sock$/,
      /socket of another program/,
    );
  }));

test('a terminal from outside is named', () =>
  inScratch(async (directory, undo) => {
    const master = `open(M, '+</dev/ptmx') or die; my $z = pack('i', 0); ioctl(M, 0x40045431, $z); my $n = pack('i', 0); ioctl(M, 0x80045430, $n); $n = unpack('i', $n);`;
    const slave = `require POSIX; POSIX::setsid(); open(T, "+</dev/pts/$n") or die; close M;`;
    const child = await startWithChild(directory, undo, master, slave);
    assertExplained(
      await dump(directory, child),
      /^process \d+ \(perl\) uses the terminal \/dev\/pts\/\d+, which comes from outside the container$/,
      /-t/,
    );
  }));

/** A subject whose child, in a session of its own, is what is to be dumped; gives the child's PID. */
async function startWithChild(
  directory: string,
  undo: Undo,
  before: string,
  inChild: string,
): Promise<number> {
  const file = join(directory, 'child');
  const tell = `open P, '>${file}'; print P $$; close P;`;
  await startPerl(directory, undo, `${before} if (!fork) { ${inChild} ${tell} ${GO_ON} } sleep 1 while 1;`);
  const pid = Number(readFileSync(file, 'utf8'));
  undo.add(() => killRestored(pid));
  return pid;
}

test('a full file system is told as such', () =>
  inScratch(async (directory, undo) => {
    const images = join(directory, 'small');
    mkdirSync(images);
    await run(['mount', '-t', 'tmpfs', '-o', 'size=200k', 'tmpfs', images]);
    undo.add(() => run(['umount', images]));
    const subject = await startPerl(directory, undo, `my $x = 'x' x 5000000; ${GO_ON}`);
    assertExplained(await dump(directory, subject.pid, [], { images }), /is full$/, /space/);
  }));

test('a file outside the container that a process has open is named', () =>
  inScratch(async (directory, undo) => {
    const stdout = openSync(join(directory, 'out'), 'w');
    const container = await startContainer(directory, undo, ['perl', '-e', 'sleep 100'], { stdout });
    assertExplained(
      await container.checkpoint(),
      /^process \d+ \(perl\) has \S+\/out open \(descriptor 1\), which lies outside/,
      /mount its directory/,
    );
  }));

test('a file system that CRIU does not know is told with its place', () =>
  inScratch(async (directory, undo) => {
    const container = await startContainer(directory, undo, ['perl', '-e', 'sleep 100']);
    const mounted = await run([
      'nsenter',
      '-t',
      String(container.pid),
      '-m',
      'mount',
      '-t',
      'ramfs',
      'x',
      '/data',
    ]);
    assert.equal(mounted.ok, true, mounted.stderr);
    assertExplained(
      await container.checkpoint(),
      /^the file system mounted at \/data is of a kind that CRIU cannot save$/,
      /Unmount/,
    );
  }));

test('an inotify watch without a path is told (overlayfs without file handles)', () =>
  inScratch(async (directory, undo) => {
    const code = `my $f = syscall(${CALL.inotifyInit}, 0); my $p = "/data\\0"; syscall(${CALL.inotifyAdd}, $f, $p, 0x100); open F, '>/data/set'; close F; sleep 100`;
    const container = await startContainer(directory, undo, ['perl', '-e', code], { overlay: true });
    await waitForFile(join(container.bundle, 'rootfs/data/set'));
    assertExplained(
      await container.checkpoint(),
      /^process \d+ \(perl\) watches a file or directory by inotify whose path cannot be told/,
      /volume/,
    );
  }));
