import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { arch, release } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { checkPageFiles } from '../../src/criu/delta/check-page-files.ts';
import { readInventory } from '../../src/criu/images.ts';
import { type CriuOptions, writeCriuConfig } from '../../src/criu/options.ts';
import { MINIMUM_CRIU, probeCriu, requireCriu } from '../../src/criu/probe.ts';
import { readDumpStats, readRestoreStats } from '../../src/criu/stats.ts';
import { readTasks } from '../../src/criu/view/tasks.ts';
import { waitFor } from '../../src/system/clock.ts';
import { LIMIT_MS } from '../fixtures/limit.ts';
import {
  dump,
  inScratch,
  killRestored,
  restore,
  startContainer,
  startPerl,
  type TestContainer,
  type Undo,
  waitForFile,
} from './support.ts';

/** A container on an overlay root that runs Perl code, which ends with `ready`: then /data/ready exists. */
async function startReady(directory: string, undo: Undo, code: string): Promise<TestContainer> {
  const ready = `open my $r, '>', '/data/ready'; close $r; sleep 1 while 1;`;
  const container = await startContainer(directory, undo, ['perl', '-e', `${code} ${ready}`], {
    overlay: true,
  });
  await waitForFile(join(container.bundle, 'rootfs/data/ready'));
  return container;
}

/** Freezes and thaws by runc, with the options in the file that CRIU is pointed at by the environment. */
async function roundTrip(directory: string, container: TestContainer, options: CriuOptions): Promise<void> {
  const env = await writeCriuConfig(join(directory, 'criu.conf'), options);
  const frozen = await container.checkpoint({ env });
  assert.equal(frozen.result.ok, true, errorsOf(frozen.log));
  const thawed = await container.restore({ env });
  assert.equal(thawed.result.ok, true, errorsOf(thawed.log));
}

const errorsOf = (log: string): string =>
  log
    .split('\n')
    .filter((line) => line.includes('Error ('))
    .join('\n');

test('a runtime hands the options on: a deleted file of 3 MB comes back', () =>
  inScratch(async (directory, undo) => {
    const code = `open F, '+>/data/big'; print F 'x' x 3000000; F->flush; unlink '/data/big';`;
    const container = await startReady(directory, undo, code);
    await roundTrip(directory, container, {});
    const state = JSON.parse((await container.runc('state', container.id)).stdout) as { pid: number };
    const sizes = readdirSync(`/proc/${state.pid}/fd`).map(
      (fd) => statSync(`/proc/${state.pid}/fd/${fd}`).size,
    );
    assert.ok(sizes.includes(3_000_000), `sizes: ${sizes.join(' ')}`);
  }));

test('a deleted name of a file that lives on comes back with linkRemap, and nothing is left over', () =>
  inScratch(async (directory, undo) => {
    const code = `open F, '>/data/one'; print F 'x'; F->flush; link '/data/one', '/data/two'; unlink '/data/one';`;
    const container = await startReady(directory, undo, code);
    await roundTrip(directory, container, { linkRemap: true });
    assert.deepEqual(readdirSync(join(container.bundle, 'rootfs/data')).toSorted(), ['ready', 'two']);
  }));

test('an inotify watch comes back with its path in watchedPaths, on an overlay without file handles', () =>
  inScratch(async (directory, undo) => {
    const [init, add] = arch() === 'arm64' ? [26, 27] : [294, 254];
    const code = `my $f = syscall(${init}, 0); my $p = "/data\\0"; syscall(${add}, $f, $p, 0x100);`;
    const container = await startReady(directory, undo, code);
    await roundTrip(directory, container, { watchedPaths: ['/data'] });
  }));

test('established connections come back closed with tcpClose', () =>
  inScratch(async (directory, undo) => {
    const code = `use IO::Socket; my $l = IO::Socket::INET->new(Listen => 5, LocalAddr => '127.0.0.1');
      my $c = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $l->sockport); my $a = $l->accept;
      open F, '>${directory}/seen'; F->autoflush(1); ready(); while (1) { print F defined(getpeername($c)) ? 1 : 0; sleep 1 }`;
    const { pid, stop } = await startPerl(directory, undo, code);
    const frozen = await dump(directory, pid, ['--tcp-established']);
    assert.equal(frozen.result.ok, true, errorsOf(frozen.log));
    await stop();
    const env = await writeCriuConfig(join(directory, 'criu.conf'), { tcpClose: true });
    const thawed = await restore(directory, [], { env });
    assert.equal(thawed.result.ok, true, errorsOf(thawed.log));
    undo.add(() => killRestored(pid));
    const closed = await waitFor(() => readFileSync(join(directory, 'seen'), 'utf8').endsWith('0'), LIMIT_MS);
    assert.equal(closed, true);
  }));

test('images and statistics of a real dump are read', () =>
  inScratch(async (directory, undo) => {
    const container = await startReady(directory, undo, 'if (!fork) { sleep 1 while 1 }');
    const { images } = await container.checkpoint();
    const tree = await readTasks(images);
    assert.deepEqual(
      tree.map(({ parent, threads, name }) => [parent, threads.length, name]),
      [
        [0, 1, 'perl'],
        [1, 1, 'perl'],
      ],
    );
    assert.equal(tree[0]?.pid, 1);
    assert.equal((await readInventory(images))?.imgVersion, 2);
    await checkPageFiles(images);
    const stats = await readDumpStats(join(directory, 'stats-dump'));
    assert.ok(stats.pagesWritten > 50 && stats.pagesWritten <= stats.pagesScanned);
    assert.ok(stats.frozenTime > 0 && stats.frozenTime < 10_000_000);
    const thawed = await container.restore();
    assert.equal(thawed.result.ok, true, errorsOf(thawed.log));
    const restored = await readRestoreStats(join(directory, 'stats-restore'));
    // Pages that a child shares with its parent are written for both and restored once.
    assert.ok(restored.pagesRestored > 50 && restored.pagesRestored <= stats.pagesWritten);
  }));

test('CRIU is asked once, and again when what is kept does not fit', () =>
  inScratch(async (directory) => {
    const cache = join(directory, 'deep', 'criu.json');
    const probe = requireCriu(await probeCriu(cache));
    assert.ok(probe.version >= MINIMUM_CRIU);
    assert.equal(probe.kernel, release());
    assert.ok(existsSync(cache));
    const kept = readFileSync(cache, 'utf8');
    const begun = performance.now();
    assert.deepEqual(await probeCriu(cache), probe);
    assert.ok(performance.now() - begun < 20, 'nothing is started for the second answer');
    for (const damaged of [kept.replace(release(), '1.0'), kept.slice(0, 20), '[]']) {
      writeFileSync(cache, damaged);
      assert.deepEqual(await probeCriu(cache), probe);
      assert.equal(readFileSync(cache, 'utf8'), kept);
    }
  }));
