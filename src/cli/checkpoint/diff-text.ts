import type { CheckpointDiff } from '../../engine/checkpoint-view/diff.ts';
import { printable, renderTable } from '../render/table.ts';
import { address } from './memory-text.ts';

/** Lines `+ …` for what is only in the second checkpoint and `- …` for what is only in the first. */
const signed = <T>(
  { added, gone }: { readonly added: readonly T[]; readonly gone: readonly T[] },
  show: (item: T) => string,
): string =>
  [
    ...gone.map((item) => `- ${printable(show(item))}\n`),
    ...added.map((item) => `+ ${printable(show(item))}\n`),
  ].join('');

/** A comparison for people: only what is different, but for memory, which has a line for each process. */
export function diffAsText(diff: CheckpointDiff): string {
  const { processes, files, sockets, mounts, environment, rootfs } = diff;
  const process = ({ pid, command }: (typeof processes.added)[number]): string => `${pid} ${command}`;
  const changed = processes.changed
    .map((one) => `~ ${printable(`${process(one)}: ${one.changes.join('; ')}`)}\n`)
    .join('');
  const sections: readonly (readonly [title: string, body: string])[] = [
    ['Processes', signed(processes, process) + changed],
    ['Memory, in pages', memoryTable(diff)],
    ['Where memory changed', areaTable(diff)],
    ['Open files', signed(files, ({ pid, fd, type, path }) => `${pid} ${fd} ${type} ${path}`)],
    [
      'Sockets',
      signed(
        sockets,
        (one) => `${one.pid} ${one.fd} ${one.protocol} ${one.state || '-'} ${one.local} ${one.peer}`,
      ),
    ],
    ['Mounts', signed(mounts, ({ destination, type, source }) => `${destination} ${type || '-'} ${source}`)],
    ['Environment of the container', signed(environment, (line) => line)],
    ['Files that differ from the image', rootfs === undefined ? '' : rootfsLines(rootfs)],
  ];
  const found = sections.filter(([, body]) => body !== '').map(([title, body]) => `\n${title}\n${body}`);
  return heading(diff) + (found.length === 0 ? '\nNo difference.\n' : found.join(''));
}

const rootfsLines = (rootfs: NonNullable<CheckpointDiff['rootfs']>): string =>
  signed(rootfs, (path) => path) + rootfs.changed.map((path) => `~ ${printable(path)}\n`).join('');

function heading({ before, after }: CheckpointDiff): string {
  const line = (sign: string, { source, metadata }: CheckpointDiff['before']): string =>
    `${sign} ${printable([source, metadata.name, metadata.checkpointed].filter(Boolean).join('  '))}\n`;
  return line('-', before) + line('+', after);
}

function memoryTable({ memory }: CheckpointDiff): string {
  if (memory.length === 0) return '';
  const rows = memory.map(({ pid, name, equal, changed, added, gone }) =>
    [pid, name, equal, changed, added, gone].map(String),
  );
  return renderTable(['PID', 'PROCESS', 'EQUAL', 'CHANGED', 'ADDED', 'GONE'], rows);
}

function areaTable({ memory }: CheckpointDiff): string {
  const rows = memory.flatMap(({ pid, areas }) =>
    areas.map((area) => [
      String(pid),
      address(area.start),
      area.access,
      String(area.changed),
      String(area.added),
      String(area.gone),
      area.label,
    ]),
  );
  return rows.length === 0
    ? ''
    : renderTable(['PID', 'ADDRESS', 'ACCESS', 'CHANGED', 'ADDED', 'GONE', 'WHAT'], rows);
}

/** The same as JSON, complete. */
export const diffAsJson = ({ before, after, processes, memory, ...lists }: CheckpointDiff): object => ({
  checkpoint_a: about(before),
  checkpoint_b: about(after),
  processes: { added: processes.added, gone: processes.gone, changed: processes.changed },
  memory: memory.map(({ areas, pageBytes, ...counts }) => ({
    ...counts,
    page_size: pageBytes,
    areas: areas.map((area) => ({ ...area, start: address(area.start), end: address(area.end) })),
  })),
  ...lists,
});

const about = ({ source, metadata, sizes }: CheckpointDiff['before']): object => ({
  source,
  container_name: metadata.name,
  id: metadata.id,
  checkpointed: metadata.checkpointed || undefined,
  total_size: sizes.images,
  memory_pages_size: sizes.pages,
});
