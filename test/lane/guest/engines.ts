import { ok } from './scenario.ts';

/** The image that the engines' containers run: busybox, and memory.c as /memory. */
export const IMAGE = 'localhost/memory:latest';

/** Where the host's files are. */
const WORK = '/work';

/** Runs an engine's command, which must succeed; returns what it prints. */
export type Engine = (args: readonly string[]) => Promise<string>;

export const podman: Engine = (args) =>
  ok(['podman', '--cgroup-manager=cgroupfs', '--events-backend=file', '--runtime=runc', ...args]);

/** cryopod on one store. */
export interface Cryopod extends Engine {
  /** What precedes a command's arguments. */
  readonly argv: readonly string[];
}

function cryopodOn(...stores: string[]): Cryopod {
  const argv = [`${WORK}/cryopod/bin/cryopod`, ...stores];
  return Object.assign((args: readonly string[]) => ok([...argv, ...args]), { argv });
}

export const cryopod = cryopodOn();

/** A store that stands for another host's. */
export const otherCryopod = cryopodOn('--root', '/var/lib/other', '--runroot', '/run/other');

let imported = false;

/** Brings the image into both stores, where it stays: the same one, since podman asks for it by its ID. */
export async function importImage(): Promise<void> {
  if (imported) return;
  const archive = '/tmp/saved.tar';
  await cryopod(['import', '--quiet', `${WORK}/image.tar`, IMAGE]);
  await cryopod(['save', '--quiet', '--output', archive, IMAGE]);
  await podman(['load', '--quiet', '--input', archive]);
  await ok(['rm', archive]);
  imported = true;
}

export const runMemory = (engine: Engine, name: string, size: number): Promise<string> =>
  engine(['run', '-d', '--name', name, '--network', 'none', IMAGE, '/memory', `${size}`]);

export const discard = (engine: Engine, name: string): Promise<string> =>
  engine(['rm', '--force', '--time', '0', name]);

/** Removes all containers by force, after a scenario that has failed. */
export async function discardAll(): Promise<void> {
  for (const engine of [podman, cryopod, otherCryopod])
    await engine(['rm', '--all', '--force', '--time', '0']);
}
