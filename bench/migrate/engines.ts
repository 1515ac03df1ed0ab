import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { childEnvironment } from '../../src/system/tools.ts';
import type { Host } from '../../test/fixtures/two-hosts.ts';
import { type OpenEngine, openPodman } from '../engines.ts';

/** A way to bring a container from one host to the other; the container has the name `redis` and the network `lan`. */
export interface Mover {
  /** Starts a Redis on the first host; gives its address. */
  readonly start: () => Promise<string>;
  /** Brings it to the second one. */
  readonly move: () => Promise<void>;
  readonly remove: () => Promise<void>;
  readonly close: () => Promise<void>;
}

const SERVER = ['redis-server', '--protected-mode', 'no', '--save', ''];

export function cryopodMover(one: Host, two: Host, mode: string): Mover {
  return {
    start: async () => {
      await one.box.ok([
        'run',
        '-d',
        '--name',
        'redis',
        '--network',
        'lan',
        await one.box.image('redis'),
        ...SERVER,
      ]);
      const field = '{{.NetworkSettings.Networks.lan.IPAddress}}';
      return await one.box.ok(['inspect', '--format', field, 'redis']);
    },
    move: async () => {
      const said = await one.box.ok(['migrate', '--mode', mode, '--tcp-established', 'redis', two.login]);
      process.stderr.write(`${said}\n`);
    },
    remove: async () => {
      for (const { box } of [one, two]) await box.ok(['rm', '--all', '--force', '--time', '0']);
    },
    close: async () => undefined,
  };
}

const quoted = (word: string): string => `'${word.replaceAll("'", "'\\''")}'`;
const line = (words: readonly string[]): string => words.map(quoted).join(' ');

/**
 * What podman's users do by hand: the archive goes from the checkpoint through ssh into a file there while it is made, and
 * is restored from it. podman cannot restore from a pipe.
 */
export async function podmanMover(one: Host, two: Host, wanted: string): Promise<Mover> {
  const here = await openPodman(join(one.box.directory, 'podman'), wanted, one.prefix);
  const there = await openPodman(join(two.box.directory, 'podman'), wanted, two.prefix);
  for (const [engine, { network }] of [
    [here, one],
    [there, two],
  ] as const) {
    await engine.image('redis');
    await engine.run(['network', 'create', ...network, 'lan']);
  }
  const archive = join(two.box.directory, 'podman.tar.zst');
  const env = Object.entries(there.env).map((pair) => pair.join('='));
  const restore = ['container', 'restore', '--tcp-established', '--import', archive];
  const remote = `cat >${quoted(archive)} && env ${line([...env, `PATH=${childEnvironment().PATH}`])} ${line([...there.command.slice(two.prefix.length), ...restore])}`;
  const checkpoint = ['container', 'checkpoint', '--tcp-established', '--export', '/dev/fd/3', 'redis'];
  const ssh = [...one.prefix, join(one.ssh, 'ssh'), two.login, remote];
  const pipe = `set -o pipefail; ${line([...here.command, ...checkpoint])} 3>&1 >/dev/null | ${line(ssh)}`;
  return {
    start: async () => {
      await here.run([
        'run',
        '-d',
        '--name',
        'redis',
        '--network',
        'lan',
        await here.image('redis'),
        ...SERVER,
      ]);
      const field = '{{.NetworkSettings.Networks.lan.IPAddress}}';
      return (await here.run(['inspect', '--format', field, 'redis'])).stdout;
    },
    move: () => shell(pipe, here),
    remove: async () => {
      for (const engine of [here, there]) await engine.run(['rm', '--all', '--force', '--time', '0']);
    },
    close: async () => {
      await there.close();
      await here.close();
    },
  };
}

function shell(text: string, { env }: OpenEngine): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn('bash', ['-c', text], {
      stdio: ['ignore', 'ignore', 'pipe'],
      env: { ...childEnvironment(), ...env },
    });
    let words = '';
    child.stderr.on('data', (chunk) => {
      words += String(chunk);
    });
    child.once('error', reject);
    child.once('close', (code) => {
      if (code === 0) resolve();
      else reject(new Error(`podman's way ended with ${code}: ${words}`));
    });
  });
}
