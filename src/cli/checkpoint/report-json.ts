import type { CheckpointReport, TaskReport } from '../../engine/checkpoint-view/report.ts';
import { binarySize } from '../render/human.ts';
import type { Sections } from './sections.ts';

/** `undefined` leaves a field out. */
const when = <T>(wanted: boolean, value: () => T): T | undefined => (wanted ? value() : undefined);
const filled = (text: string): string | undefined => text || undefined;

/**
 * A report as JSON. Where checkpointctl's `inspect --format json` says the same, the field has its name and its value
 * (checkpointctl internal/json.go); `memory`, `hostname`, `host` and others are more.
 */
export function reportAsJson(report: CheckpointReport, sections: Sections): object {
  const { metadata, sizes, tasks } = report;
  return {
    container_name: metadata.name,
    image: metadata.image,
    id: metadata.id,
    runtime: metadata.runtime,
    created: metadata.created,
    checkpointed: filled(metadata.checkpointed),
    engine: metadata.engine,
    ...addresses(report),
    checkpoint_size: {
      total_size: sizes.images,
      memory_pages_size: sizes.pages,
      root_fs_diff_size: sizes.rootfsDiff || undefined,
    },
    source: { kind: report.kind, name: report.source },
    previous: when(report.lacksPrevious, () => ({ id: metadata.facts?.previous })),
    image_id: filled(metadata.imageId),
    command: metadata.command,
    hostname: filled(report.hostname),
    kernel: filled(metadata.kernel),
    host: metadata.facts?.host,
    versions: versions(report),
    cpu: { machine: report.machine, state: report.cpuState },
    statistics: when(sections.stats, () => statistics(report)),
    metadata: when(sections.metadata, () => ({ annotations: metadata.annotations })),
    ...(sections.psTree ? processes(roots(tasks, sections)) : {}),
    file_descriptors: when(sections.files, () =>
      tasks.filter(({ files, cwd }) => files.length > 0 || cwd !== '').map(fileDescriptors),
    ),
    sockets: when(sections.sockets, () => tasks.filter(({ sockets }) => sockets.length > 0).map(socketsOf)),
    mounts: when(sections.mounts, () => metadata.mounts),
    mount_points: when(sections.mounts, () => report.mountPoints),
  };
}

const versions = ({ metadata: { facts } }: CheckpointReport): object | undefined =>
  facts === undefined
    ? undefined
    : {
        cryopod: facts.cryopod,
        runtime: facts.runtime.version,
        criu: facts.criu.version,
        conmon: facts.conmon.version,
      };

function addresses({ metadata: { networks } }: CheckpointReport): object {
  const bare = networks.flatMap((network) => network.addresses.map((address) => address.replace(/\/.*/, '')));
  const names = [...new Set(networks.map(({ network }) => network))];
  return {
    ip: filled(bare.join(', ')),
    mac: filled(
      networks
        .map(({ mac }) => mac)
        .filter(Boolean)
        .join(', '),
    ),
    networks: names.map((name) => ({
      name,
      interfaces: Object.fromEntries(
        networks
          .filter(({ network }) => network === name)
          .map((one) => [one.name, { ip: one.addresses.at(-1), mac: one.mac, gateway: one.gateways.at(-1) }]),
      ),
    })),
  };
}

const statistics = ({ statistics: stats }: CheckpointReport): object | undefined =>
  stats === undefined
    ? undefined
    : {
        freezing_time: stats.freezingTime,
        frozen_time: stats.frozenTime,
        memdump_time: stats.memdumpTime,
        memwrite_time: stats.memwriteTime,
        pages_scanned: stats.pagesScanned,
        pages_written: stats.pagesWritten,
        pages_skipped_parent: stats.pagesSkippedParent,
        shared_pages_scanned: stats.sharedPagesScanned,
        shared_pages_written: stats.sharedPagesWritten,
      };

interface ProcessNode {
  readonly pid: number;
  children?: ProcessNode[];
}

/** checkpointctl knows one tree; whatever is not in it comes beside it. */
const processes = ([first, ...others]: readonly ProcessNode[]): object => ({
  process_tree: first,
  other_processes: others.length === 0 ? undefined : others,
});

/** Deeper trees are attacks on the stack of whoever reads the JSON; none of a container is. */
const MAX_DEPTH = 200;

/** Trees of processes. What is in a circle, or deeper than any tree is, stands at the top. */
function roots(tasks: readonly TaskReport[], sections: Sections): ProcessNode[] {
  const known = new Map(tasks.map((task) => [task.pid, task]));
  const nodes = new Map(tasks.map((task): [number, ProcessNode] => [task.pid, processNode(task, sections)]));
  const isDeep = (task: TaskReport): boolean => {
    let above: TaskReport | undefined = task;
    for (let depth = 0; depth < MAX_DEPTH && above !== undefined; depth += 1) above = known.get(above.parent);
    return above !== undefined;
  };
  const top: ProcessNode[] = [];
  for (const task of tasks.toSorted((one, other) => one.pid - other.pid)) {
    const node = nodes.get(task.pid);
    if (node === undefined) continue;
    const above = isDeep(task) ? undefined : nodes.get(task.parent);
    if (above === undefined) top.push(node);
    else above.children = above.children ?? [];
    above?.children?.push(node);
  }
  return top;
}

function processNode(task: TaskReport, { env }: Sections): ProcessNode {
  return Object.assign(
    { pid: task.pid },
    {
      command: task.name,
      cmdline: filled(task.args.join(' ')),
      args: task.args,
      task_state: task.state,
      environment_variables: env && task.env.length > 0 ? environment(task.env) : undefined,
      program: filled(task.program),
      parent: task.parent,
      group: task.group,
      session: task.session,
      threads: task.threads.length,
      uid: task.uid,
      gid: task.gid,
      memory: { size: task.memoryBytes, shared_size: task.sharedBytes },
    },
  );
}

const environment = (lines: readonly string[]): Record<string, string> =>
  Object.fromEntries(
    lines.map((line) => {
      const at = line.indexOf('=');
      return at < 0 ? [line, ''] : [line.slice(0, at), line.slice(at + 1)];
    }),
  );

const fileDescriptors = ({ pid, files, cwd, root }: TaskReport): object => ({
  pid,
  open_files: [
    ...files.map(({ type, fd, path, access, position, closeOnExec }) => ({
      type,
      fd: `${type} ${fd}`,
      path,
      access: filled(access),
      position,
      close_on_exec: closeOnExec,
    })),
    { type: '', fd: 'cwd', path: cwd },
    { type: '', fd: 'root', path: root },
  ],
});

const socketsOf = ({ pid, sockets }: TaskReport): object => ({
  pid,
  open_sockets: sockets.map((socket) => ({
    fd: socket.fd,
    family: socket.family,
    protocol: socket.protocol,
    data: {
      type: socket.family.startsWith('INET') ? socket.protocol : socket.family,
      address: socket.family === 'UNIX' ? socket.source : undefined,
      peer: socket.family === 'UNIX' ? filled(socket.peer) : undefined,
      state: filled(socket.state),
      ...inetEnds(socket),
      send_buf: binarySize(socket.sendBuffer).replace('iB', 'B'),
      recv_buf: binarySize(socket.receiveBuffer).replace('iB', 'B'),
    },
  })),
});

const inetEnds = (socket: TaskReport['sockets'][number]): object =>
  socket.family.startsWith('INET')
    ? { src: socket.source, src_port: socket.sourcePort, dst: socket.peer, dst_port: socket.peerPort }
    : {};
