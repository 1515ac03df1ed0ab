import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { type DiagnosisFacts, diagnose } from './diagnose.ts';

const NOTHING: DiagnosisFacts = { processes: new Map(), external: undefined };

/** Lines that CRIU 4.2.1 (where the name does not say another) wrote when each failure was caused. */
const recorded = (name: string): string =>
  readFileSync(join(import.meta.dirname, 'testdata', `${name}.txt`), 'utf8');

/** What each recorded log must be explained as, and what the hint must name. */
const EXPLAINED: Readonly<Record<string, readonly [sentence: RegExp, hint: RegExp]>> = {
  'dump-tcp': [
    /^process 28758 \(perl\) has an established TCP connection at 127\.0\.0\.1:59588$/,
    /--tcp-established/,
  ],
  'dump-rlimit': [/hides the limits of process 2894 \(sh\) from CRIU/, /setup\.sh/],
  'dump-inflight': [
    /^process 28773 \(perl\) has a connection .* at 127\.0\.0\.1:53733 and not accepted yet$/,
    /again/,
  ],
  'dump-lock': [
    /^process 28789 \(perl\) holds a lock of the file \/tmp\/cryopod-criu-A0MQ0S\/lockfile$/,
    /--file-locks/,
  ],
  'dump-posixlock': [/^process 5669 \(perl\) holds a lock of the file \S+\/lockfile$/, /--file-locks/],
  'dump-ghost': [/^process 28873 \(perl\) keeps the file \S+\/ghost open, .* 3002368 bytes$/, /close it/],
  'dump-linkremap': [/^process 28888 \(perl\) keeps a file open whose name \S+\/one is deleted/, /name back/],
  'dump-uring': [/^process 28903 \(perl\) uses io_uring/, /io_uring off/],
  'dump-uffd': [/^process 28918 \(perl\) .*descriptor 3.*: anon_inode:\[userfaultfd\]$/, /close it/],
  'dump-device': [
    /^process 28933 \(perl\) has the device \/dev\/loop-control open \(file descriptor 3\)/,
    /--device/,
  ],
  'dump-unixext': [
    /^process 28948 \(perl\) is connected over a unix socket .*, through the socket \S+\/sock$/,
    /socket of another program/,
  ],
  'dump-unixpair': [/^process 28964 \(perl\) is connected over a unix socket to a process outside/, /Close/],
  'dump-nospace': [/file system that the checkpoint is written to is full/, /space/],
  'dump-tty': [/^process 5685 \(perl\) uses the terminal \/dev\/pts\/0, which comes from outside/, /-t/],
  'dump-trackmem': [/no soft-dirty tracking/, /full checkpoint/],
  'dump-ptrace': [/^process 29029 \(perl\) is traced by another program$/, /debugger/],
  'dump-nestedns': [/^process 29046 has made a uts namespace of its own/, /inside containers/],
  'dump-sysvshm': [/^process 29077 \(perl\) uses System V shared memory of the host$/, /--ipc/],
  'dump-mptcp': [/^process 29092 \(perl\) has a socket of Multipath TCP/, /multipathtcp=0/],
  'dump-afalg': [/^process 29107 \(perl\) has a socket of the family AF_VSOCK/, /close/],
  'dump-extfile': [/^process 29207 \(perl\) has \S+\/out open \(descriptor 1\), .* outside/, /mount/],
  'dump-innermount': [/file system mounted at \/data is of a kind that CRIU cannot save/, /Unmount/],
  'dump-inotify': [/^process \d+ \(perl\) watches a file or directory by inotify/, /volume/],
  'dump-vdso317': [/too old for the running kernel/, /setup\.sh/],
  'dump-passcred411': [/too old for the sockets of the running kernel/, /setup\.sh/],
  'restore-tcp': [/^process 3445 had an established TCP connection$/, /--tcp-close/],
  'restore-size': [/^process 6077 had \S+\/file open, .* 5 bytes instead of 1$/, /Put the file back/],
  'restore-mode': [/^process 3271 had \S+\/file open, whose mode is now 600 instead of 644$/, /chmod/],
  'restore-missing': [/^process 3300 had \S+\/file open, which is gone$/, /Put the file back/],
  'restore-exe': [/^process 3358 had \S+\/perl open, which has changed/, /same image/],
  'restore-pid': [/^the process ID 9237 is already taken$/, /--pid=host/],
  'restore-port': [/^process 3496 cannot have its address and port back/, /free ports/],
  'restore-addr': [/^process 3526 cannot have its address back: Cannot assign requested address$/, /same IP/],
  'restore-magic': [/^the file pstree\.img of the checkpoint is not what CRIU wrote$/, /damaged/],
  'restore-trunc': [/^the file files\.img of the checkpoint is cut off$/, /damaged/],
  'restore-noimg': [/^the memory of process 7040 is missing/, /damaged/],
};

for (const [name, [sentence, hint]] of Object.entries(EXPLAINED)) {
  test(`a recorded log of ${name} is explained`, () => {
    const diagnosis = diagnose(name.startsWith('dump') ? 'dump' : 'restore', recorded(name), NOTHING);
    assert.match(diagnosis.sentence, sentence);
    assert.match(diagnosis.hint, hint);
    assert.ok(diagnosis.lines.length > 0 && diagnosis.lines.length <= 5);
    assert.match(diagnosis.lines[0] ?? '', /Error \(|Warn {2}\(/);
    assert.doesNotMatch(diagnosis.lines.join('\n'), /RLIMIT_NOFILE/);
  });
}

test('a name that the caller knows replaces the short one of the log', () => {
  const facts = { processes: new Map([[28789, 'redis-server *:6379']]), external: undefined };
  assert.match(
    diagnose('dump', recorded('dump-lock'), facts).sentence,
    /^process 28789 \(redis-server \*:6379\) holds/,
  );
});

test('an external socket that the log does not name is named by the facts', () => {
  const log =
    '(00.03) Error (criu/sk-unix.c:863): unix: External socket is used. Consider using --ext-unix-sk option.';
  const facts = { processes: new Map(), external: 'process 7 (rsyslogd)' };
  assert.match(diagnose('dump', log, facts).sentence, /^process 7 \(rsyslogd\) is connected/);
});

test('an unknown failure is told in the words of its first error that is not a consequence', () => {
  const log = [
    "(00.01) Error (criu/util.c:1534): rlimit: Can't setup RLIMIT_NOFILE for self: Operation not permitted",
    '(00.02) Error (criu/new.c:1): something new is broken',
    '(00.03) Error (criu/cr-dump.c:1545): Dump files (pid: 7) failed with -1',
    '(00.04) Error (criu/cr-dump.c:1975): Dumping FAILED.',
  ].join('\n');
  const { sentence, lines } = diagnose('dump', log, {
    processes: new Map([[7, 'nginx']]),
    external: undefined,
  });
  assert.equal(sentence, 'CRIU says: something new is broken (at process 7 (nginx))');
  assert.deepEqual(lines, ['(00.02) Error (criu/new.c:1): something new is broken']);
});

test('an empty log is told as such', () => {
  assert.deepEqual(diagnose('restore', '', NOTHING), {
    sentence: 'CRIU failed without saying why',
    hint: 'The log tells more.',
    lines: [],
  });
});
