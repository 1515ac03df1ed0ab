import type { CheckpointReport, TaskReport } from '../../engine/checkpoint-view/report.ts';
import { renderEnds } from '../../engine/checkpoint-view/socket-ends.ts';
import { binarySize, humanMicroseconds } from '../render/human.ts';
import { printable, renderTable } from '../render/table.ts';
import { processTree } from './process-tree.ts';
import type { Sections } from './sections.ts';

type Fields = readonly (readonly [name: string, value: string | undefined])[];

/** Lines `Name:  value`; those without a value are left out. */
function fieldLines(fields: Fields): string {
  const known = fields.filter(([, value]) => value !== undefined && value !== '');
  const width = Math.max(0, ...known.map(([name]) => name.length)) + 1;
  return known.map(([name, value]) => `${`${name}:`.padEnd(width)}  ${printable(value ?? '')}\n`).join('');
}

/** A report for people: a summary, then the sections that were asked for. */
export function reportAsText(report: CheckpointReport, sections: Sections): string {
  const parts: readonly (readonly [wanted: boolean, title: string, body: () => string])[] = [
    [sections.psTree, 'Processes', () => processTable(report.tasks)],
    [sections.env, 'Environment', () => environment(report.tasks)],
    [sections.files, 'Open files', () => fileTable(report.tasks)],
    [sections.sockets, 'Sockets', () => socketTable(report.tasks)],
    [sections.mounts, 'Mounts', () => mountTable(report)],
    [sections.mounts, 'Mounted when it was frozen', () => mountPointTable(report)],
    [sections.metadata, 'Annotations', () => annotations(report)],
    [sections.stats, "CRIU's figures", () => statistics(report)],
  ];
  return [
    summary(report),
    ...parts.filter(([wanted]) => wanted).map(([, title, body]) => `\n${title}\n${body() || '(none)\n'}`),
  ].join('');
}

function summary({ metadata, sizes, ...report }: CheckpointReport): string {
  const { facts, networks } = metadata;
  const image = metadata.imageId === '' ? '' : ` (${metadata.imageId.replace('sha256:', '').slice(0, 12)})`;
  const memory = report.tasks.reduce((sum, { memoryBytes }) => sum + memoryBytes, 0);
  return fieldLines([
    ['Container', metadata.name],
    ['ID', metadata.id],
    ['Image', metadata.image === '' ? undefined : `${metadata.image}${image}`],
    ['Command', metadata.command.join(' ')],
    ['Host name', report.hostname],
    ...networks.map((one): readonly [string, string] => [
      'Network',
      `${one.network} (${one.name}) ${one.addresses.join(', ')} ${one.mac}`,
    ]),
    ['Created', metadata.created],
    ['Checkpointed', metadata.checkpointed],
    ['Engine', facts === undefined ? metadata.engine : `${metadata.engine} ${facts.cryopod}`],
    ['Runtime', facts === undefined ? metadata.runtime : `${metadata.runtime} ${facts.runtime.version}`],
    ['CRIU', facts?.criu.version],
    [
      'Host',
      facts === undefined ? undefined : `${facts.host.distribution.id} ${facts.host.distribution.version}`,
    ],
    ['Kernel', metadata.kernel],
    ['Machine', report.machine],
    ['Processor', facts?.host.cpu.model],
    ['State in use', report.cpuState.join(', ')],
    ['Processes', String(report.tasks.length)],
    ['Memory', binarySize(memory)],
    ['Checkpoint size', `${binarySize(sizes.images)}, of which pages ${binarySize(sizes.pages)}`],
    [
      'Builds on',
      report.lacksPrevious ? `a pre-checkpoint that is not in it${identity(facts?.previous)}` : undefined,
    ],
    ['Root FS diff size', sizes.rootfsDiff === 0 ? undefined : binarySize(sizes.rootfsDiff)],
  ]);
}

const identity = (id: string | undefined): string => (id === undefined ? '' : ` (${id})`);

function processTable(tasks: readonly TaskReport[]): string {
  const rows = processTree(tasks).map(({ task, branch }) => [
    String(task.pid),
    task.uid === undefined ? '-' : String(task.uid),
    task.state.toLowerCase(),
    String(task.threads.length),
    binarySize(task.memoryBytes),
    binarySize(task.sharedBytes),
    `${branch}${commandOf(task)}`,
  ]);
  return renderTable(['PID', 'UID', 'STATE', 'THREADS', 'MEMORY', 'SHARED', 'COMMAND'], rows);
}

/** As ps(1): the name in brackets where there is no command line. */
const commandOf = ({ args, name }: TaskReport): string => (args.length > 0 ? args.join(' ') : `[${name}]`);

const environment = (tasks: readonly TaskReport[]): string =>
  tasks
    .filter(({ env }) => env.length > 0)
    .map(
      ({ pid, name, env }) =>
        `${pid} ${printable(name)}\n${env.map((line) => `    ${printable(line)}\n`).join('')}`,
    )
    .join('');

function fileTable(tasks: readonly TaskReport[]): string {
  const rows = tasks.flatMap(({ pid, files, cwd, root }) => {
    const opened = files.map(({ fd, type, access, position, path }) => [
      String(pid),
      String(fd),
      type,
      access || '-',
      position === undefined ? '-' : String(position),
      path,
    ]);
    const directory = (name: string, path: string): string[][] =>
      path === '' ? [] : [[String(pid), name, 'DIR', '-', '-', path]];
    return [...opened, ...directory('cwd', cwd), ...directory('root', root)];
  });
  return rows.length === 0 ? '' : renderTable(['PID', 'FD', 'TYPE', 'ACCESS', 'POSITION', 'PATH'], rows);
}

function socketTable(tasks: readonly TaskReport[]): string {
  const rows = tasks.flatMap(({ pid, sockets }) =>
    sockets.map((socket) => {
      const { protocol, local, peer } = renderEnds(socket);
      return [String(pid), String(socket.fd), protocol, socket.state || '-', local, peer];
    }),
  );
  return rows.length === 0 ? '' : renderTable(['PID', 'FD', 'PROTOCOL', 'STATE', 'LOCAL', 'PEER'], rows);
}

function mountTable({ metadata: { mounts } }: CheckpointReport): string {
  if (mounts.length === 0) return '';
  const rows = mounts.map(({ destination, type, source, options }) => [
    destination,
    type,
    source,
    options.join(','),
  ]);
  return renderTable(['DESTINATION', 'TYPE', 'SOURCE', 'OPTIONS'], rows);
}

function mountPointTable({ mountPoints }: CheckpointReport): string {
  if (mountPoints.length === 0) return '';
  const rows = mountPoints.map(({ destination, type, source, options, external }) => [
    destination,
    type || '-',
    source,
    external ? 'outside' : 'inside',
    options,
  ]);
  return renderTable(['DESTINATION', 'TYPE', 'SOURCE', 'FROM', 'OPTIONS'], rows);
}

const annotations = ({ metadata }: CheckpointReport): string =>
  fieldLines(Object.entries(metadata.annotations).toSorted(([one], [other]) => (one < other ? -1 : 1)));

function statistics({ statistics: stats }: CheckpointReport): string {
  if (stats === undefined) return '';
  return fieldLines([
    ['Freezing time', humanMicroseconds(stats.freezingTime)],
    ['Frozen time', humanMicroseconds(stats.frozenTime)],
    ['Memdump time', humanMicroseconds(stats.memdumpTime)],
    ['Memwrite time', humanMicroseconds(stats.memwriteTime)],
    ['Pages scanned', String(stats.pagesScanned)],
    ['Pages written', String(stats.pagesWritten)],
    ['Pages left to the parent', String(stats.pagesSkippedParent)],
    ['Shared pages scanned', String(stats.sharedPagesScanned)],
    ['Shared pages written', String(stats.sharedPagesWritten)],
  ]);
}
