import assert from 'node:assert/strict';
import {
  appendFileSync,
  chmodSync,
  copyFileSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { diagnose } from '../../src/criu/diagnose.ts';
import { run } from '../../src/system/process.ts';
import { type CriuRun, dump, inScratch, killRestored, restore, startPerl, type Undo } from './support.ts';

const GO_ON = 'ready(); sleep 1 while 1;';
const OPEN_FILE = (directory: string): string =>
  `open F, '>${directory}/file'; print F 'x'; F->flush; ${GO_ON}`;
const OTHER_PERL = (directory: string): string =>
  `if (!$ENV{X}) { $ENV{X} = 1; exec('${directory}/perl', '${directory}/subject.pl') } ${GO_ON}`;

/** Freezes a Perl subject, spoils something, and checks what is made of the failed restore's log. */
function refuses(
  title: string,
  subject: {
    readonly code: (directory: string) => string;
    readonly flags?: readonly string[];
    readonly copy?: boolean;
  },
  spoil: (directory: string, undo: Undo) => unknown,
  sentence: RegExp,
  hint: RegExp,
): void {
  test(title, () =>
    inScratch(async (directory, undo) => {
      if (subject.copy === true) copyFileSync('/usr/bin/perl', join(directory, 'perl'));
      const { pid, stop } = await startPerl(directory, undo, subject.code(directory));
      const frozen = await dump(directory, pid, subject.flags);
      assert.equal(frozen.result.ok, true, frozen.log.split('\n').slice(-10).join('\n'));
      await stop();
      await spoil(directory, undo);
      const thawed = await restore(directory);
      if (thawed.result.ok) await killRestored(pid);
      assertExplained(thawed, sentence, hint);
    }),
  );
}

function assertExplained({ result, log }: CriuRun, sentence: RegExp, hint: RegExp): void {
  assert.equal(result.ok, false, 'CRIU refuses');
  const diagnosis = diagnose('restore', log, { processes: new Map(), external: undefined });
  assert.match(diagnosis.sentence, sentence);
  assert.match(diagnosis.hint, hint);
}

refuses(
  'a file of another size is told with both sizes',
  { code: OPEN_FILE },
  (directory) => appendFileSync(join(directory, 'file'), 'more'),
  /^process \d+ had \/\S+\/file open, which has changed since the checkpoint: 5 bytes instead of 1$/,
  /Put the file back/,
);

refuses(
  'a file of another mode is told with both modes',
  { code: OPEN_FILE },
  (directory) => chmodSync(join(directory, 'file'), 0o600),
  /^process \d+ had \/\S+\/file open, whose mode is now 600 instead of 644$/,
  /chmod/,
);

refuses(
  'a file that is gone is named',
  { code: OPEN_FILE },
  (directory) => rmSync(join(directory, 'file')),
  /^process \d+ had \/\S+\/file open, which is gone$/,
  /Put the file back/,
);

refuses(
  'a program that was changed is named',
  { code: OTHER_PERL, copy: true },
  (directory) => appendFileSync(join(directory, 'perl'), 'more'),
  /^process \d+ had \/\S+\/perl open, which has changed since the checkpoint/,
  /same image/,
);

refuses(
  'a program that is gone is named',
  { code: OTHER_PERL, copy: true },
  (directory) => rmSync(join(directory, 'perl')),
  /^process \d+ had \/\S+\/perl open, which is gone$/,
  /same image/,
);

const LISTEN = (address: string): string =>
  `use IO::Socket; my $l = IO::Socket::INET->new(Listen => 5, LocalAddr => '${address}') or die;`;

refuses(
  'a connection is told with the options for it',
  {
    code: () =>
      `${LISTEN('127.0.0.1')} my $c = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $l->sockport); my $a = $l->accept; ${GO_ON}`,
    flags: ['--tcp-established'],
  },
  () => undefined,
  /^process \d+ had an established TCP connection$/,
  /--tcp-established .* --tcp-close/,
);

refuses(
  'a port that is taken is told',
  {
    code: (directory) =>
      `${LISTEN('127.0.0.1')} open F, '>${directory}/port'; print F $l->sockport; close F; ${GO_ON}`,
  },
  async (directory, undo) => {
    const server = createServer();
    const port = Number(readFileSync(join(directory, 'port'), 'utf8'));
    await new Promise<void>((resolve) => {
      server.listen(port, '127.0.0.1', resolve);
    });
    server.unref();
    undo.add(() => server.close());
  },
  /^process \d+ cannot have its address and port back: another process uses them$/,
  /free ports/,
);

test('an address that the host no longer has is told', () =>
  inScratch(async (directory, undo) => {
    const remove = (): Promise<unknown> => run(['ip', 'address', 'del', '10.231.7.9/32', 'dev', 'lo']);
    await run(['ip', 'address', 'add', '10.231.7.9/32', 'dev', 'lo']);
    undo.add(remove);
    const { pid, stop } = await startPerl(directory, undo, `${LISTEN('10.231.7.9')} ${GO_ON}`);
    await dump(directory, pid);
    await stop();
    await remove();
    assertExplained(
      await restore(directory),
      /cannot have its address back: Cannot assign requested address$/,
      /same IP/,
    );
  }));

test('a process ID that is taken is told', () =>
  inScratch(async (directory, undo) => {
    const { pid } = await startPerl(directory, undo, GO_ON);
    await dump(directory, pid, ['--leave-running']);
    assertExplained(
      await restore(directory),
      new RegExp(`^the process ID ${pid} is already taken$`),
      /--pid=host/,
    );
  }));

refuses(
  'an image that is cut off is named',
  { code: () => GO_ON },
  (directory) => truncateSync(join(directory, 'img', 'files.img'), 30),
  /^the file files\.img of the checkpoint is cut off$/,
  /damaged/,
);

refuses(
  'an image of another form is named',
  { code: () => GO_ON },
  (directory) => writeFileSync(join(directory, 'img', 'pstree.img'), 'garbage garbage'),
  /^the file pstree\.img of the checkpoint is not what CRIU wrote$/,
  /damaged/,
);

refuses(
  'memory that is missing is told',
  { code: () => GO_ON },
  (directory) => rmSync(join(directory, 'img', 'pages-1.img')),
  /^the memory of process \d+ is missing from the checkpoint or cut off$/,
  /damaged/,
);
