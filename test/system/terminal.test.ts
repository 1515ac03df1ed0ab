import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { waitFor } from '../../src/system/clock.ts';
import { runOk } from '../../src/system/process.ts';
import { LIMIT_MS } from '../fixtures/limit.ts';
import { type Sandbox, withSandbox } from '../fixtures/sandbox.ts';

/** A real terminal (one of tmux) with a shell in it. */
interface Terminal {
  /** Types a line and presses Enter. */
  readonly type: (line: string) => Promise<void>;
  /** Presses keys by tmux's names: C-c, Enter … */
  readonly press: (...keys: readonly string[]) => Promise<void>;
  readonly resize: (columns: number, rows: number) => Promise<void>;
  /** Waits until the screen shows it. */
  readonly shows: (pattern: RegExp) => Promise<void>;
}

async function withTerminal(box: Sandbox, work: (terminal: Terminal) => Promise<void>): Promise<void> {
  const server = `cryopod-${randomBytes(4).toString('hex')}`;
  const tmux = (...args: readonly string[]): Promise<string> =>
    runOk(['tmux', '-f', '/dev/null', '-L', server, ...args], 'drive a terminal', {
      env: { TMUX_TMPDIR: box.directory, TERM: 'xterm' },
    });
  await tmux('new-session', '-d', '-x', '80', '-y', '24', 'env', 'PS1=host\\$ ', 'sh');
  let screen = '';
  const shows = async (pattern: RegExp): Promise<void> => {
    const seen = await waitFor(async () => {
      screen = await tmux('capture-pane', '-p');
      return pattern.test(screen);
    }, LIMIT_MS);
    assert.equal(seen, true, `the screen never showed ${pattern}:\n${screen}`);
  };
  try {
    await work({
      type: async (line) => {
        await tmux('send-keys', '-l', line);
        await tmux('send-keys', 'Enter');
      },
      press: async (...keys) => {
        await tmux('send-keys', ...keys);
      },
      resize: async (columns, rows) => {
        await tmux('resize-window', '-x', String(columns), '-y', String(rows));
      },
      shows,
    });
  } finally {
    await tmux('kill-server');
  }
}

/** cryopod for the shell in the terminal. */
const command = (box: Sandbox, ...args: readonly string[]): string =>
  [...box.argv, ...args].map((word) => (/^[\w/.:=-]+$/.test(word) ? word : `'${word}'`)).join(' ');

/** Tells its terminal's size all the time; a shell that edits lines would lose keys that are typed during a resize. */
const SIZE = ['sh', '-c', 'trap "exit 5" INT; while :; do clear; stty size; sleep 0.1; done'];

/** The program at the terminal sees its size at the start and after a change; Ctrl-C ends it with status 5. */
async function followsSize(terminal: Terminal, words: string): Promise<void> {
  await terminal.shows(/host\$/);
  await terminal.type(`${words}; echo "status=$?"; stty -a | grep -o ' icanon'`);
  await terminal.shows(/^24 80$/m);
  await terminal.resize(100, 30);
  await terminal.shows(/^30 100$/m);
  await terminal.press('C-c');
  await terminal.shows(/status=5\n icanon$/m);
}

test('run -it is a terminal: size, resize, Ctrl-C, exit status, and the caller’s terminal as before', () =>
  withSandbox(async (box) => {
    await withTerminal(box, async (terminal) => {
      await followsSize(terminal, command(box, 'run', '-it', '--rm', await box.image('busybox'), ...SIZE));
    });
  }));

test('exec -it is a terminal as well', () =>
  withSandbox(async (box) => {
    await box.ok(['run', '-d', '--name', 'c', await box.image('busybox'), 'sleep', '1000']);
    await withTerminal(box, (terminal) => followsSize(terminal, command(box, 'exec', '-it', 'c', ...SIZE)));
  }));

test('Ctrl-P Ctrl-Q leaves a container running behind', () =>
  withSandbox(async (box) => {
    await withTerminal(box, async (terminal) => {
      await terminal.type(
        `${command(box, 'run', '-it', '--name', 'c', await box.image('busybox'), 'sh')}; echo "status=$?"`,
      );
      await terminal.shows(/\/ #/);
      await terminal.press('C-p', 'C-q');
      await terminal.shows(/status=0$/m);
      assert.equal(await box.ok(['inspect', '--format', '{{.State.Status}}', 'c']), 'running');
    });
  }));

test('A command of exec -it that does not exist fails once, in podman’s words', () =>
  withSandbox(async (box) => {
    await box.ok(['run', '-d', '--name', 'c', await box.image('busybox'), 'sleep', '1000']);
    await withTerminal(box, async (terminal) => {
      await terminal.type(`clear; ${command(box, 'exec', '-it', 'c', 'nope')} 2>&1 | grep -c executable`);
      await terminal.shows(/^1$/m);
      await terminal.type(`clear; ${command(box, 'exec', '-it', 'c', 'nope')}; echo "status=$?"`);
      await terminal.shows(/^status=127/m);
    });
  }));
