import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { parseImageEntries } from '../../src/criu/images.ts';
import { message } from '../../src/criu/view/testing.ts';
import { eventually } from '../contract/support.ts';
import { type Sandbox, withSandbox } from '../fixtures/sandbox.ts';
import { editCore, edited, editImage, type Field, fieldsOf } from './image-edits.ts';
import { assertNothingMade, takenApart, type Unpacked } from './taken-apart.ts';

/** What a refused import says; the archive's images are put back as they were. */
async function refusal(box: Sandbox, apart: Unpacked, ...options: string[]): Promise<string> {
  const archive = await apart.pack();
  const { code, stderr } = await box.cryopod(['container', 'restore', ...options, '-i', archive]);
  assert.equal(code, 125, 'the import is refused');
  await assertNothingMade(box);
  return stderr;
}

async function entriesOf({ directory }: Unpacked, name: string): Promise<readonly Uint8Array[]> {
  const file = join(directory, 'checkpoint', name);
  return parseImageEntries(await readFile(file), file).entries;
}

/** task_kobj_ids_entry (core.proto), and inventory_entry's number for the host's. */
const NAMESPACES = { mount: 9, pid: 5, network: 6, ipc: 7, uts: 8 } as const;
const ROOT_IDS = 3;

const INVENTORY = /^inventory\.img$/;

test("Images whose inventory counts the container's namespaces as the host's are refused", async () => {
  await withSandbox(async (box) => {
    const apart = await takenApart(box);
    const [task = Buffer.of()] = await entriesOf(apart, 'ids-1.img');
    const before = await entriesOf(apart, 'inventory.img');
    for (const [name, number] of Object.entries(NAMESPACES)) {
      const own = fieldsOf(task).find(([id]) => id === number)?.[1];
      assert.ok(own !== undefined, name);
      await editImage(apart, INVENTORY, () =>
        before.map((entry) =>
          edited(entry, [ROOT_IDS], (fields) =>
            fields.map(([id, value]) => [id, id === number ? own : value]),
          ),
        ),
      );
      if (name === 'mount') {
        assert.match(
          await refusal(box, apart, '--trust'),
          /processes in the host's mount namespace, so that their root directory would be/,
        );
        continue;
      }
      const words = new RegExp(
        `processes in the host's ${name} namespace, unlike its config.*\nHint: .*--trust`,
        'i',
      );
      assert.match(await refusal(box, apart), words);
    }
    await editImage(apart, INVENTORY, () =>
      before.map((entry) => message(fieldsOf(entry).filter(([id]) => id !== ROOT_IDS))),
    );
    assert.match(await refusal(box, apart, '--trust'), /the host's mount namespace/);
  });
});

/** mnt.proto */
const MOUNT = { id: 2, parent: 4, flags: 5, root: 6, destination: 7 } as const;

const textOf = (entry: Uint8Array, number: number): string => {
  const value = fieldsOf(entry).find(([id]) => id === number)?.[1];
  return value instanceof Uint8Array ? Buffer.from(value).toString() : '';
};
const destinationOf = (entry: Uint8Array): string => textOf(entry, MOUNT.destination).replace(/^\./, '');
const MOUNTS = /^mountpoints-\d+\.img$/;

/** Without MS_RDONLY. */
const writable = (entry: Uint8Array): Uint8Array =>
  edited(entry, [], (fields) =>
    fields.map(([id, value]): Field => [id, id === MOUNT.flags ? (value as bigint) & ~1n : value]),
  );

test("Images without the mounts that hide and protect the kernel's files are refused without --trust", async () => {
  await withSandbox(async (box) => {
    const apart = await takenApart(box, { run: ['-v', 'read:/read:ro'] });
    let before: readonly Uint8Array[] = [];
    await editImage(apart, MOUNTS, (entries) => {
      before = entries;
      return entries;
    });
    const refusedWith = async (change: (entry: Uint8Array) => readonly Uint8Array[]): Promise<string> => {
      await editImage(apart, MOUNTS, () => before.flatMap(change));
      return refusal(box, apart);
    };
    const without = (...places: string[]) =>
      refusedWith((entry) => (places.includes(destinationOf(entry)) ? [] : [entry]));
    const unprotected = (...places: string[]) =>
      refusedWith((entry) => [places.includes(destinationOf(entry)) ? writable(entry) : entry]);
    const open =
      /may write to files of the kernel that its configuration protects: \/proc\/sys\nHint: .*--trust/;
    assert.match(await without('/proc/sys'), open);
    assert.match(await unprotected('/proc/sys'), open);
    assert.match(
      await without('/proc/keys'),
      /sees files of the kernel that its configuration hides: \/proc\/keys\n/,
    );
    assert.match(await unprotected('/sys'), /has \/sys writable, which its configuration makes read-only\n/);
    assert.match(
      await unprotected('/read'),
      /has \/read writable, which its configuration makes read-only\n/,
    );
    const again = await refusedWith((entry) =>
      destinationOf(entry) === '/proc' ? [entry, elsewhere(entry)] : [entry],
    );
    assert.match(again, /sees files of the kernel that its configuration hides: .*\/proc\/keys/);
    const twice = await refusedWith((entry) =>
      destinationOf(entry) === '/proc/sys' ? [entry, entry] : [entry],
    );
    assert.match(twice, /has two mounts in one place, of which one may hide what it should: \/proc\/sys\n/);
  });
});

/** The same file system at another place, where nothing lies over its files. */
const elsewhere = (entry: Uint8Array): Uint8Array =>
  edited(entry, [], (fields) =>
    fields.map(([id, value]): Field => {
      if (id === MOUNT.id) return [id, 9999];
      return [id, id === MOUNT.destination ? Buffer.from('./mnt') : value];
    }),
  );

test("An import with --trust of images without the kernel's protection gives what it warns of", async () => {
  await withSandbox(async (box) => {
    const apart = await takenApart(box);
    await editImage(apart, MOUNTS, (entries) =>
      entries.filter((entry) => destinationOf(entry) !== '/proc/sys'),
    );
    const archive = await apart.pack();
    const { code, stderr } = await box.cryopod(['container', 'restore', '--trust', '-i', archive]);
    assert.equal(code, 0, stderr);
    // Opened for writing and left alone: the file belongs to the host.
    await box.ok(['exec', 'c', 'sh', '-c', ': 3<>/proc/sys/kernel/core_pattern']);
  });
});

/** seccomp.proto: the program of a filter in the list of filters. */
const FILTERS = 1;
const SECCOMP = /^seccomp\.img$/;

/** A program of these instructions (linux/filter.h): code, jumps, constant. */
const program = (...lines: readonly (readonly [code: number, jt: number, jf: number, k: number])[]): Buffer =>
  Buffer.concat(
    lines.map(([code, jt, jf, k]) => {
      const bytes = Buffer.alloc(8);
      bytes.writeUInt16LE(code);
      bytes.writeUInt8(jt, 2);
      bytes.writeUInt8(jf, 3);
      bytes.writeUInt32LE(k, 4);
      return bytes;
    }),
  );
const ALLOW = 0x7fff0000;

test('Images whose seccomp filter lets everything through are refused without --trust', async () => {
  await withSandbox(async (box) => {
    const apart = await takenApart(box);
    await editImage(apart, SECCOMP, (entries) =>
      entries.map((entry) =>
        edited(entry, [FILTERS], (fields) =>
          fields.map(([id, value]): Field => [id, id === 1 ? program([0x06, 0, 0, ALLOW]) : value]),
        ),
      ),
    );
    assert.match(
      await refusal(box, apart),
      /filter lets system calls through that the default one refuses: .*kexec_load.*\nHint: .*--trust/,
    );
  });
});

test("Images that switch a thread's filter off by the process's old field are refused without --trust", async () => {
  await withSandbox(async (box) => {
    const apart = await takenApart(box);
    // task_core_entry old_seccomp_mode, which CRIU prefers to the thread's.
    await editCore(apart, [3], (fields) => [...fields, [11, 0]]);
    assert.match(
      await refusal(box, apart),
      /processes without the seccomp filter that its configuration gives/,
    );
  });
});

test('A process with threads, whose filter stands in the images once, is taken in without --trust', async () => {
  await withSandbox(async (box) => {
    const archive = join(box.directory, 'threads.tar');
    const script =
      '$| = 1; threads->create(sub { sleep 1 while 1 }) for 1 .. 3; print "ready\\n"; sleep 1 while 1';
    const perl = await box.image('perl');
    await box.ok(['run', '-d', '--name', 'c', '--network', 'none', perl, 'perl', '-Mthreads', '-e', script]);
    await eventually('the threads are there', async () => (await box.ok(['logs', 'c'])).includes('ready'));
    await box.ok(['container', 'checkpoint', '-c', 'none', '-e', archive, 'c']);
    await box.ok(['rm', 'c']);
    await box.ok(['container', 'restore', '-i', archive]);
    const modes = await box.ok(['exec', 'c', 'sh', '-c', "sed -n 's/^Seccomp:.//p' /proc/1/task/*/status"]);
    assert.equal(modes, '2\n2\n2\n2', 'each thread has its filter again');
  });
});
