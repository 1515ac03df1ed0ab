import { defineFlags } from '../parse/flags.ts';

/** Parts of a report that can be asked for. */
export interface Sections {
  readonly psTree: boolean;
  readonly env: boolean;
  readonly files: boolean;
  readonly sockets: boolean;
  readonly mounts: boolean;
  readonly stats: boolean;
  readonly metadata: boolean;
}

/** checkpointctl's names; `--ps-tree-cmd` and `--ps-tree-env` are accepted as well. */
export const SECTION_FLAGS = defineFlags({
  all: { type: 'bool', help: 'All there is, the environment of processes included' },
  env: {
    type: 'bool',
    aliases: ['ps-tree-env'],
    help: 'The environment of processes, which may hold secrets',
  },
  files: { type: 'bool', help: 'Open files' },
  metadata: { type: 'bool', help: 'Networks and annotations' },
  mounts: { type: 'bool', help: 'Mounts' },
  psTree: { type: 'bool', aliases: ['ps-tree-cmd'], help: 'Processes with command lines and memory' },
  sockets: { type: 'bool', help: 'Open sockets' },
  stats: { type: 'bool', help: "CRIU's figures of the dump" },
});

type SectionFlags = { readonly [K in keyof typeof SECTION_FLAGS]: boolean };

/** What to show where nothing is asked for: as text the processes, as JSON all but the environment. */
export function chosenSections(flags: SectionFlags, asText: boolean): Sections {
  const { all, env, files, metadata, mounts, psTree, sockets, stats } = flags;
  const asked = { env, files, metadata, mounts, psTree: psTree || env, sockets, stats };
  if (!all && Object.values(asked).some(Boolean)) return asked;
  const more = all || !asText;
  return { psTree: true, env: all, files: more, sockets: more, mounts: more, stats: more, metadata: more };
}
