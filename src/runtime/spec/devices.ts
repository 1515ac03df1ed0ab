import { lstatSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { DeviceMapping } from '../../model/container.ts';
import { errnoOf, fail } from '../../model/errors.ts';
import type { ResolvedDevice } from '../types.ts';

/** makedev(3): how Linux packs a device number into 64 bits. */
const majorOf = (rdev: number): number => Math.floor(rdev / 0x100000000) * 0x1000 + ((rdev >>> 8) & 0xfff);
const minorOf = (rdev: number): number => (rdev & 0xff) | ((rdev >>> 12) & 0xffffff00);

/** Reads the host's nodes. A directory stands for all devices in it. Fails with USAGE when a path is no device. */
export const resolveDevices = (mappings: readonly DeviceMapping[]): ResolvedDevice[] =>
  mappings.flatMap((mapping) => {
    const stat = statSync(mapping.hostPath, { throwIfNoEntry: false });
    if (stat?.isDirectory() === true) return devicesIn(mapping.hostPath, mapping.containerPath);
    const device = readDevice(mapping);
    return device ?? fail('USAGE', { message: `stat ${mapping.hostPath}: no such file or not a device` });
  });

/** All device nodes of the host but terminals, for a privileged container. */
export const hostDevices = (): ResolvedDevice[] => devicesIn('/dev', '/dev');

const SKIPPED_DIRECTORIES = ['pts', 'shm', 'fd', 'mqueue', '.lxc', '.lxd-mounts', '.udev'];
/** The runtime makes these itself. */
const SKIPPED_NODES = /^(console|ptmx|tty|null|zero|full|random|urandom)$/;

function devicesIn(hostDirectory: string, containerDirectory: string): ResolvedDevice[] {
  return readdirSync(hostDirectory, { withFileTypes: true }).flatMap((entry) => {
    const hostPath = join(hostDirectory, entry.name);
    const containerPath = join(containerDirectory, entry.name);
    if (entry.isDirectory()) {
      return SKIPPED_DIRECTORIES.includes(entry.name) ? [] : devicesIn(hostPath, containerPath);
    }
    if (!entry.isCharacterDevice() && !entry.isBlockDevice()) return [];
    if (hostDirectory === '/dev' && SKIPPED_NODES.test(entry.name)) return [];
    return readDevice({ hostPath, containerPath, permissions: 'rwm' }) ?? [];
  });
}

function readDevice(mapping: DeviceMapping): ResolvedDevice | undefined {
  try {
    const stat = lstatSync(mapping.hostPath).isSymbolicLink()
      ? statSync(mapping.hostPath)
      : lstatSync(mapping.hostPath);
    if (!stat.isCharacterDevice() && !stat.isBlockDevice()) return undefined;
    return {
      ...mapping,
      type: stat.isBlockDevice() ? 'b' : 'c',
      major: majorOf(stat.rdev),
      minor: minorOf(stat.rdev),
      mode: stat.mode & 0o7777,
      uid: stat.uid,
      gid: stat.gid,
    };
  } catch (error) {
    // Device nodes come and go.
    if (errnoOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}
