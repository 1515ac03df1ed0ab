import { join } from 'node:path';
import { fail } from '../model/errors.ts';
import { IMAGE_MAGIC, readImage } from './images.ts';
import { decodeMessage, type Message, optional, repeated, required } from './protobuf.ts';

/** CRIU images/cgroup.proto. Directories hold directories of the same form. */
const DIRECTORY = {
  name: required(1, 'string'),
  children: repeated(2, 'bytes'),
  properties: repeated(3, { name: required(1, 'string') }),
};
const CGROUPS = {
  sets: repeated(1, {
    memberships: repeated(2, {
      controller: required(1, 'string'),
      path: required(2, 'string'),
      prefix: optional(3, 'uint32'),
    }),
  }),
  controllers: repeated(2, { names: repeated(1, 'string'), directories: repeated(2, DIRECTORY) }),
};

type Membership = Message<typeof CGROUPS>['sets'][number]['memberships'][number];
type Controller = Message<typeof CGROUPS>['controllers'][number];
type Directory = Message<typeof DIRECTORY>;

/** Controllers that hold a container to its limits and devices; the one without a name is cgroup v2. */
const CONFINING = ['', 'blkio', 'cpu', 'cpuset', 'devices', 'memory', 'pids'];

/**
 * The cgroups, as `CONTROLLER:PATH`, that CRIU would make or move processes into and that are not the container's own. It
 * puts what the runtime names in the place of each directory that a process is in, and takes all else by its name
 * (CRIU criu/cgroup.c rewrite_cgroup_roots). Fails with IMAGE_INVALID for names that lead elsewhere: CRIU, being root on
 * the host, writes to the files that they name, and mounts what they ask for.
 */
export async function strayCgroups(directory: string, names: readonly string[]): Promise<string[]> {
  if (!names.includes('cgroup.img')) return [];
  const [image] = await readImage(join(directory, 'cgroup.img'), IMAGE_MAGIC.cgroup, CGROUPS);
  const { sets = [], controllers = [] } = image ?? {};
  const memberships = sets.flatMap((set) => set.memberships);
  checkControllers(controllers);
  for (const membership of memberships) checkMembership(membership, controllers);
  const moved = memberships
    .filter(({ controller }) => CONFINING.includes(controller))
    .filter(({ controller, path }) => directoriesOf(controllers, controller, path).length === 0)
    .map(({ controller, path }) => `${controller}:${path}`);
  const made = controllers.flatMap(({ names: own, directories }) =>
    directories
      .filter(({ name }) => !memberships.some((one) => own.includes(one.controller) && isIn(one.path, name)))
      .map(({ name }) => `${own.join()}:/${name}`),
  );
  return [...new Set([...moved, ...made])];
}

const isIn = (path: string, name: string): boolean => `${path}/`.startsWith(`/${name}/`);

/** Names of the directories in which a path lies. */
const directoriesOf = (controllers: readonly Controller[], controller: string, path: string): string[] =>
  controllers
    .filter(({ names }) => names.includes(controller))
    .flatMap(({ directories }) => directories.map(({ name }) => name))
    .filter((name) => isIn(path, name));

function checkControllers(controllers: readonly Controller[]): void {
  const known = new Set<string>();
  for (const { names, directories } of controllers) {
    for (const name of names) {
      // Of two CRIU would put the runtime's directory into the first alone.
      check(CONTROLLER.test(name) && isPlain(name.replace(/^name=/, '')) && !known.has(name), name);
      known.add(name);
    }
    for (const one of directories) checkDirectory(one);
  }
}

/** The prefix is the part of the path that the root of a cgroup namespace has. */
function checkMembership(
  { controller, path, prefix = 0 }: Membership,
  controllers: readonly Controller[],
): void {
  check(path.startsWith('/') && isPlain(path.slice(1)) && prefix <= path.length, path);
  const outer = directoriesOf(controllers, controller, path);
  if (prefix > 0)
    check(
      outer.every((name) => name.length + 1 >= prefix),
      path,
    );
}

/** CRIU makes options of mount(2) of them, which commas part. */
const CONTROLLER = /^(name=)?[\w.@-]*$/;

function check(holds: boolean, name: string): void {
  if (holds) return;
  fail('IMAGE_INVALID', { message: `cgroup.img has a name that no cgroup has: ${JSON.stringify(name)}` });
}

const isPlain = (path: string): boolean =>
  !path.split('/').some((part) => part === '..' || part === '.' || part.includes('\0'));

/** A directory, all that is in it, and the files in them. */
function checkDirectory(top: Directory): void {
  const pending = [top];
  for (let one = pending.pop(); one !== undefined; one = pending.pop()) {
    check(one.name !== '' && !one.name.startsWith('/') && isPlain(one.name), one.name);
    for (const { name } of one.properties) check(/^[\w.-]+$/.test(name) && isPlain(name), name);
    for (const child of one.children) pending.push(decodeMessage(child, DIRECTORY));
  }
}
