import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { existsSync, statSync } from 'node:fs';
import { copyFile, mkdir, truncate } from 'node:fs/promises';
import { createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import {
  assertCounts,
  assertRefused,
  COUNT,
  checkpoint,
  eventually,
  IMAGE,
  inside,
  inspect,
  logLines,
  RUNNING,
  restore,
  type Sandbox,
  start,
  stateOf,
  untilLines,
  withSandbox,
} from './support.ts';

const run = promisify(execFile);

const remove = (box: Sandbox, name: string, ...options: string[]): Promise<string> =>
  box.ok(['rm', '-f', '-t', '0', ...options, name]);

/** Exports the container into the sandbox's directory and returns the archive's path. */
async function exported(box: Sandbox, name: string, ...options: string[]): Promise<string> {
  const archive = join(box.directory, `${name}.tar.zst`);
  assert.equal(await checkpoint(box, '-e', archive, ...options, name), name);
  return archive;
}

const containers = (box: Sandbox): Promise<string> => box.ok(['ps', '-a', '--format', '{{.Names}}']);
const volumes = (box: Sandbox): Promise<string> => box.ok(['volume', 'ls', '-q']);

/** Another store with a cryopod of its own, which stands for another host; its containers and volumes go with `work`. */
async function withOtherStore(box: Sandbox, work: (other: Sandbox) => Promise<void>): Promise<void> {
  const argv = [
    box.argv[0] ?? '',
    ...['--root', join(box.directory, 'other/root'), '--runroot', join(box.directory, 'other/run')],
  ];
  await mkdir(join(box.directory, 'other'), { mode: 0o700 });
  const cryopod: Sandbox['cryopod'] = (args) =>
    new Promise((resolve) => {
      const [program = '', ...rest] = [...argv, ...args];
      execFile(program, rest, (error, stdout, stderr) => {
        const code = error === null ? 0 : Number(error.code ?? -1);
        resolve({ code, stdout, stderr });
      });
    });
  const ok: Sandbox['ok'] = async (args) => {
    const { code, stdout, stderr } = await cryopod(args);
    assert.equal(code, 0, `cryopod ${args.join(' ')}: ${stderr}`);
    return stdout.trim();
  };
  try {
    await work({ ...box, argv, cryopod, ok });
  } finally {
    await ok(['rm', '--all', '--force', '--time', '0', '--volumes']);
  }
}

test('An archive has mode 0600, its checkpoint prints the name as typed, and a plain import prints the full ID and keeps ID, name and address', async () => {
  await withSandbox(async (box) => {
    const id = await start(box, 'c', COUNT);
    const who = '{{.Id}} {{.Name}} {{.NetworkSettings.IPAddress}} {{.NetworkSettings.MacAddress}}';
    const before = await inspect(box, 'c', who);
    await untilLines(box, 'c', 5);
    const archive = join(box.directory, 'c.tar.zst');
    const typed = id.slice(0, 12);
    const { code, stdout, stderr } = await box.cryopod(['container', 'checkpoint', '-e', archive, typed]);
    assert.deepEqual([code, stdout, stderr], [0, `${typed}\n`, '']);
    assert.equal(statSync(archive).mode & 0o7777, 0o600);
    assert.equal(await stateOf(box, 'c'), 'exited:false:false:true');
    const saved = (await logLines(box, 'c')).length;
    await remove(box, 'c');
    const imported = await box.cryopod(['container', 'restore', '-i', archive]);
    assert.deepEqual([imported.code, imported.stdout, imported.stderr], [0, `${id}\n`, '']);
    assert.equal(await inspect(box, 'c', who), before);
    assert.equal(await stateOf(box, 'c'), RUNNING);
    await untilLines(box, 'c', saved + 5);
    assertCounts(await logLines(box, 'c'));
    assert.equal(await inside(box, 'c', 'echo alive'), 'alive');
  });
});

test('zstd, gzip and none all restore, whatever the suffix of the file', async () => {
  const magic = { zstd: '28b52ffd', gzip: '1f8b', none: '636f6e66' } as const;
  await withSandbox(async (box) => {
    await start(box, 'c', COUNT);
    for (const [kind, suffix] of [
      ['zstd', 'tar.gz'],
      ['gzip', 'tar'],
      ['none', 'tar.zst'],
    ] as const) {
      const archive = join(box.directory, `archive.${suffix}`);
      await checkpoint(box, '-c', kind, '--export', archive, 'c');
      const { stdout } = await run('od', ['-An', '-tx1', '-N4', archive]);
      assert.ok(stdout.replaceAll(/\s/g, '').startsWith(magic[kind]), `${kind}: ${stdout}`);
      await remove(box, 'c');
      await restore(box, '--import', archive);
      assert.equal(await stateOf(box, 'c'), RUNNING);
    }
    await untilLines(box, 'c', 20);
    assertCounts(await logLines(box, 'c'));
  });
});

const CHANGE = 'mkdir -p /etc; echo made >/etc/made; rm /etc/group; echo more >>/etc/passwd; mkdir /new';

test('diff is the same after an import: changed directory, added file, deleted file', async () => {
  await withSandbox(async (box) => {
    await start(box, 'c', COUNT);
    await inside(box, 'c', CHANGE);
    const before = await box.ok(['diff', 'c']);
    for (const line of ['C /etc', 'A /etc/made', 'D /etc/group', 'C /etc/passwd', 'A /new']) {
      assert.ok(before.split('\n').includes(line), `${line} in ${before}`);
    }
    const content = await inside(box, 'c', 'cat /etc/made /etc/passwd; ls -ld /etc /new');
    const archive = await exported(box, 'c');
    await remove(box, 'c');
    await restore(box, '-i', archive);
    assert.equal(await box.ok(['diff', 'c']), before);
    assert.equal(await inside(box, 'c', 'cat /etc/made /etc/passwd; ls -ld /etc /new'), content);
  });
});

test('--ignore-rootfs on either side drops the changes', async () => {
  await withSandbox(async (box) => {
    await start(box, 'c', COUNT);
    const untouched = await box.ok(['diff', 'c']);
    await inside(box, 'c', CHANGE);
    const whole = await exported(box, 'c', '-R');
    const bare = join(box.directory, 'bare.tar.zst');
    await checkpoint(box, '-e', bare, '--ignore-rootfs', 'c');
    for (const args of [
      ['-i', whole, '--ignore-rootfs'],
      ['-i', bare],
    ]) {
      await remove(box, 'c');
      await restore(box, ...args);
      assert.equal(await box.ok(['diff', 'c']), untouched);
    }
  });
});

test('Named and anonymous volumes come back, and --ignore-volumes on either side leaves their content out', async () => {
  await withSandbox(async (box) => {
    await start(box, 'c', COUNT, '-v', 'named:/named', '-v', '/anonymous');
    await inside(box, 'c', 'echo one >/named/file; echo two >/anonymous/file; chown 7:8 /named/file');
    const names = await volumes(box);
    const look = 'cat /named/file /anonymous/file; stat -c %u:%g /named/file';
    const whole = await exported(box, 'c', '-R');
    const bare = join(box.directory, 'bare.tar.zst');
    await checkpoint(box, '-e', bare, '--ignore-volumes', 'c');
    const clear = async (): Promise<void> => {
      await remove(box, 'c', '-v');
      await box.ok(['volume', 'rm', '--all']);
      assert.equal(await volumes(box), '');
    };
    await clear();
    await restore(box, '-i', whole);
    assert.equal(await volumes(box), names);
    assert.equal(await inside(box, 'c', look), 'one\ntwo\n7:8');
    for (const args of [
      ['-i', whole, '--ignore-volumes'],
      ['-i', bare],
    ]) {
      await clear();
      await restore(box, ...args);
      assert.equal(await inside(box, 'c', 'ls /named /anonymous'), '/anonymous:\n\n/named:');
    }
  });
});

test('--rm with -e removes the container, and the import brings it back with --rm', async () => {
  await withSandbox(async (box) => {
    const id = await start(box, 'c', COUNT, '--rm', '-v', '/data');
    const archive = await exported(box, 'c');
    assert.equal(await containers(box), '');
    assert.equal(await volumes(box), '');
    assert.equal(await restore(box, '-i', archive), id);
    await box.ok(['stop', '-t', '0', 'c']);
    await eventually('the container is gone', async () => (await containers(box)) === '');
  });
});

test('One archive is imported under many names, also at the same time, beside the container itself', async () => {
  await withSandbox(async (box) => {
    const id = await start(box, 'c', COUNT, '-v', '/data');
    await inside(box, 'c', 'echo kept >/data/file; echo shared >/dev/shm/file');
    const archive = await exported(box, 'c', '--leave-running');
    assert.equal(await stateOf(box, 'c'), RUNNING);
    const ids = await Promise.all(['c1', 'c2', 'c3'].map((name) => restore(box, '-i', archive, '-n', name)));
    ids.push(await restore(box, '-i', archive, '--name', 'c4'));
    assert.equal(new Set([id, ...ids]).size, 5, 'IDs are their own');
    const all = ['c', 'c1', 'c2', 'c3', 'c4'];
    assert.deepEqual((await containers(box)).split('\n').sort(), all);
    const addresses = await Promise.all(
      all.map((name) => inspect(box, name, '{{.NetworkSettings.IPAddress}} {{.NetworkSettings.MacAddress}}')),
    );
    assert.equal(new Set(addresses.flatMap((each) => each.split(' '))).size, 10, addresses.join(', '));
    for (const name of all) {
      assert.equal(await stateOf(box, name), RUNNING);
      const seen = await inside(box, name, 'cat /data/file /dev/shm/file; echo new >/data/file');
      assert.equal(seen, 'kept\nshared', 'volumes of clones are their own');
    }
    await remove(box, 'c');
    await restore(box, '-i', archive, '--ignore-volumes');
    assert.equal(await inspect(box, 'c', '{{.Id}}'), id);
  });
});

test('A name with which the ID of another container begins is free: for an import, and for --replace', async () => {
  await withSandbox(async (box) => {
    const id = await start(box, 'other', COUNT);
    const name = id.slice(0, 3);
    const archive = await exported(box, 'other', '--leave-running');
    await restore(box, '-i', archive, '-n', name);
    await remove(box, name);
    await box.ok(['create', '--replace', '--name', name, IMAGE, 'true']);
    assert.deepEqual(new Set((await containers(box)).split('\n')), new Set([name, 'other']));
    assert.equal(await stateOf(box, 'other'), RUNNING);
  });
});

test('A clone can be checkpointed again: on the host, and into an archive', async () => {
  await withSandbox(async (box) => {
    await start(box, 'c', COUNT);
    await untilLines(box, 'c', 3);
    const archive = await exported(box, 'c');
    const id = await restore(box, '-i', archive, '-n', 'clone');
    await checkpoint(box, 'clone');
    await restore(box, 'clone');
    const second = await exported(box, 'clone');
    await remove(box, 'clone');
    assert.equal(await restore(box, '-i', second), id);
    const lines = (await logLines(box, 'clone')).length;
    await untilLines(box, 'clone', lines + 3);
    assertCounts(await logLines(box, 'clone'));
    await box.ok(['stop', '-t', '0', 'clone']);
    await box.ok(['start', 'clone']);
    assert.equal(await stateOf(box, 'clone'), RUNNING);
  });
});

test('-p on import publishes other ports instead of the archive’s', async () => {
  await withSandbox(async (box) => {
    await start(box, 'c', 'sleep 1000', '-p', '127.0.0.1::7000');
    const archive = await exported(box, 'c', '-R');
    await restore(box, '-i', archive, '-n', 'clone', '-p', '127.0.0.1:7471:7000');
    assert.equal(await box.ok(['port', 'clone']), '7000/tcp -> 127.0.0.1:7471');
  });
});

test('A volume that exists is refused; nothing is left behind, and the import can be repeated', async () => {
  await withSandbox(async (box) => {
    await start(box, 'c', COUNT, '-v', 'first:/first', '-v', 'second:/second');
    const archive = await exported(box, 'c');
    await remove(box, 'c');
    await box.ok(['volume', 'rm', 'first']);
    const says =
      'volume with name second already exists. Use --ignore-volumes to not restore content of volumes';
    for (let round = 0; round < 2; round += 1) {
      await assertRefused(box, ['container', 'restore', '-i', archive], says);
      assert.equal(await containers(box), '');
      assert.equal(await volumes(box), 'second', 'the first one was not made');
    }
    await box.ok(['volume', 'rm', 'second']);
    await restore(box, '-i', archive);
    assert.equal(await stateOf(box, 'c'), RUNNING);
  });
});

test('Of two imports at the same time that bring the same volume one wins, and keeps it', async () => {
  await withSandbox(async (box) => {
    await start(box, 'c', `echo kept > /data/file; ${COUNT}`, '-v', 'data:/data');
    const archive = await exported(box, 'c');
    await remove(box, 'c');
    await box.ok(['volume', 'rm', 'data']);
    const names = ['one', 'two', 'three'];
    const results = await Promise.all(
      names.map((name) => box.cryopod(['container', 'restore', '-i', archive, '--name', name])),
    );
    const winners = names.filter((_, index) => results[index]?.code === 0);
    assert.equal(winners.length, 1, results.map(({ stderr }) => stderr).join(''));
    for (const { code, stderr } of results) {
      if (code !== 0) assert.match(stderr, /volume with name data already exists/);
    }
    assert.equal(await inside(box, winners[0] ?? '', 'cat /data/file'), 'kept');
    assert.equal(await volumes(box), 'data');
  });
});

test('A damaged archive is refused; nothing is left behind, and the import of a whole copy succeeds', async () => {
  await withSandbox(async (box) => {
    await start(box, 'c', COUNT, '-v', 'data:/data');
    const archive = await exported(box, 'c', '-c', 'none');
    await remove(box, 'c', '-v');
    await box.ok(['volume', 'rm', '--all']);
    const copy = join(box.directory, 'copy.tar');
    await copyFile(archive, copy);
    await truncate(copy, Math.floor(statSync(copy).size / 2));
    await assertRefused(
      box,
      ['container', 'restore', '-i', copy],
      /is no sound checkpoint archive: .*cut off/,
    );
    await copyFile(archive, copy);
    // A byte in the last member before the sums: all of the metadata are as they were.
    const place = String(statSync(copy).size - 12 * 1024);
    await run('sh', ['-c', 'printf X | dd of="$1" bs=1 seek="$2" conv=notrunc', 'sh', copy, place]);
    await assertRefused(box, ['container', 'restore', '-i', copy], /is no sound checkpoint archive: /);
    assert.deepEqual([await containers(box), await volumes(box)], ['', '']);
    await copyFile(archive, copy);
    await restore(box, '-i', copy);
    assert.equal(await stateOf(box, 'c'), RUNNING);
  });
});

test('-e - | -i - moves a container to another host through a pipe; --with-image takes its image along', async () => {
  await withSandbox(async (box) => {
    const id = await start(box, 'c', COUNT, '--network', 'none');
    await untilLines(box, 'c', 5);
    await withOtherStore(box, async (other) => {
      const quoted = (argv: readonly string[]): string => argv.map((word) => `'${word}'`).join(' ');
      const from = quoted([...box.argv, 'container', 'checkpoint', '--with-image', '-e', '-', 'c']);
      const to = quoted([...other.argv, 'container', 'restore', '-i', '-']);
      const { stdout, stderr } = await run('bash', ['-o', 'pipefail', '-c', `${from} | ${to}`]);
      assert.deepEqual([stdout, stderr], [`${id}\n`, '']);
      assert.equal(await stateOf(box, 'c'), 'exited:false:false:true');
      assert.equal(await stateOf(other, 'c'), RUNNING);
      assert.equal(
        await other.ok(['image', 'inspect', '--format', '{{.Id}}', IMAGE]),
        await box.ok(['image', 'inspect', '--format', '{{.Id}}', IMAGE]),
      );
      await untilLines(other, 'c', 20);
      assertCounts(await logLines(other, 'c'));
    });
  });
});

test('Without its image an import is refused by the image’s name and ID, and nothing is created', async () => {
  await withSandbox(async (box) => {
    await start(box, 'c', COUNT, '--network', 'none');
    const image = await box.ok(['image', 'inspect', '--format', '{{.Id}}', IMAGE]);
    const archive = await exported(box, 'c');
    await withOtherStore(box, async (other) => {
      const { code, stderr } = await other.cryopod(['container', 'restore', '-i', archive]);
      assert.equal(code, 125);
      assert.ok(stderr.includes(IMAGE) && stderr.includes(image.slice(0, 12)), stderr);
      assert.match(stderr, /--with-image/);
      assert.deepEqual([await containers(other), await other.ok(['images', '-q'])], ['', '']);
    });
  });
});

interface Statistics {
  readonly podman_checkpoint_duration?: number;
  readonly podman_restore_duration?: number;
  readonly container_statistics: readonly {
    readonly Id: string;
    readonly criu_statistics: Readonly<Record<string, number>>;
  }[];
}

test('--print-stats with -e and -i tells CRIU’s figures', async () => {
  await withSandbox(async (box) => {
    const id = await start(box, 'c', COUNT);
    const archive = join(box.directory, 'c.tar');
    const written = JSON.parse(await checkpoint(box, '--print-stats', '-e', archive, 'c')) as Statistics;
    assert.equal(written.container_statistics[0]?.Id, id);
    const { pages_written = 0, frozen_time = 0 } = written.container_statistics[0]?.criu_statistics ?? {};
    assert.ok(pages_written > 0 && Number(written.podman_checkpoint_duration) > frozen_time);
    await remove(box, 'c');
    const read = JSON.parse(await restore(box, '--print-stats', '-i', archive)) as Statistics;
    assert.equal(read.container_statistics[0]?.Id, id);
    const { pages_restored = 0, restore_time = 0 } = read.container_statistics[0]?.criu_statistics ?? {};
    assert.ok(pages_restored > 0 && Number(read.podman_restore_duration) > restore_time);
  });
});

test('An archive with a TCP connection is refused without --tcp-established or --tcp-close, and restored with either', async () => {
  await withSandbox(async (box) => {
    await start(box, 'c', 'sleep 1000');
    const gateway = await inspect(box, 'c', '{{.NetworkSettings.Gateway}}');
    const accepted: Socket[] = [];
    const server = createServer((socket) => accepted.push(socket.on('error', () => undefined)));
    await new Promise<void>((resolve) => server.listen(0, gateway, resolve));
    try {
      const address = server.address();
      assert.ok(address !== null && typeof address === 'object');
      await remove(box, 'c');
      await start(box, 'c', `nc ${gateway} ${address.port}; echo closed; sleep 1000`, '-i');
      await eventually('the container has a connection', async () => accepted.length === 1);
      const archive = join(box.directory, 'c.tar');
      const target = ['-e', archive, 'c'];
      await assertRefused(box, ['container', 'checkpoint', ...target], /TCP connection/);
      assert.equal(await stateOf(box, 'c'), RUNNING);
      assert.equal(existsSync(archive), false);
      await checkpoint(box, '--tcp-established', ...target);
      await remove(box, 'c');
      const line = ['container', 'restore', '-i', archive];
      await assertRefused(box, line, /established TCP connection/);
      assert.equal(await containers(box), '');
      await box.ok([...line, '--tcp-established']);
      assert.equal(await stateOf(box, 'c'), RUNNING);
      accepted[0]?.write('still there\n');
      await eventually('the connection goes on', async () =>
        (await logLines(box, 'c')).includes('still there'),
      );
      await remove(box, 'c');
      await box.ok([...line, '--tcp-close']);
      await eventually('the connection is closed', async () => (await logLines(box, 'c')).includes('closed'));
    } finally {
      for (const socket of accepted) socket.destroy();
      server.close();
    }
  });
});
