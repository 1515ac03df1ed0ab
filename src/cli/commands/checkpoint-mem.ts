import {
  literalPattern,
  MAX_MATCH,
  memoryAreas,
  memoryStrings,
  memoryTable,
  type Pattern,
  regexPattern,
  scanMemory,
  searchMemory,
} from '../../engine/checkpoint-view/memory.ts';
import type { EngineContext } from '../../engine/context.ts';
import { fail, messageOf } from '../../model/errors.ts';
import {
  address,
  areasText,
  asText,
  DUMP_HEADINGS,
  FOUND_HEADINGS,
  foundLine,
  hexDump,
  memoryTableText,
} from '../checkpoint/memory-text.ts';
import { type Sink, withOutput } from '../checkpoint/output.ts';
import type { CliContext } from '../context.ts';
import { defineCommand } from '../parse/command.ts';
import { defineFlags, type ParsedFlags } from '../parse/flags.ts';
import { toJson } from '../render/template.ts';

/** Bytes around a match that can be asked for. */
const MAX_CONTEXT = 4096;
const DEFAULT_MIN = 4;

const FLAGS = defineFlags({
  context: {
    short: 'c',
    type: 'uint',
    value: 'BYTES',
    default: 0,
    help: 'Show so many bytes around each match',
  },
  dump: { type: 'bool', help: 'Write the memory of a process as a hex dump (with --pid)' },
  format: { short: 'f', type: 'string', value: 'FORMAT', help: 'json' },
  min: { type: 'uint', value: 'LENGTH', default: DEFAULT_MIN, help: 'Shortest string that --strings shows' },
  output: { short: 'o', type: 'string', value: 'FILE', help: 'Write to a file' },
  pid: { short: 'p', type: 'uint', value: 'PID', help: 'Only this process' },
  raw: { type: 'bool', help: 'Write the memory of a process as it is, area after area (with --pid)' },
  search: { short: 's', type: 'string', value: 'TEXT', help: 'Search for a text' },
  searchRegex: {
    short: 'r',
    type: 'string',
    value: 'RE',
    help: 'Search for a regular expression over bytes',
  },
  strings: { type: 'bool', help: 'Show all texts, as strings(1) does' },
});

type Flags = ParsedFlags<typeof FLAGS>;

export const command = defineCommand({
  usage: '[options] FILE|CONTAINER|IMAGE',
  long: 'Looks into the memory of frozen processes. Without options shows how much each has; with --pid its mappings. A search ends with status 1 where nothing was found.',
  examples: [
    'checkpoint mem db',
    'checkpoint mem --search password --context 32 db',
    'checkpoint mem --strings --min 8 web.tar.zst',
    'checkpoint mem --pid 1 --dump --output memory.txt db',
  ],
  flags: FLAGS,
  args: { min: 1, max: 1 },
  run: async (ctx: CliContext, flags, [name = '']) => {
    checkFlags(flags);
    const engine = await ctx.engine();
    let exit = 0;
    await withOutput(flags.output || undefined, ctx.signal, async (sink) => {
      exit = await look(engine, name, flags, sink);
    });
    return exit;
  },
});

function look(engine: EngineContext, name: string, flags: Flags, sink: Sink): Promise<number> {
  const pattern = patternOf(flags);
  if (pattern !== undefined) return search(engine, name, flags, pattern, sink);
  if (flags.strings) return strings(engine, name, flags, sink);
  if (flags.dump || flags.raw) return dump(engine, name, flags, sink);
  return show(engine, name, flags, sink);
}

function checkFlags({
  search: text,
  searchRegex,
  strings: all,
  dump: hex,
  raw,
  pid,
  context,
  format,
}: Flags): void {
  const modes = [text !== undefined, searchRegex !== undefined, all, hex, raw].filter(Boolean).length;
  if (modes > 1) {
    fail('USAGE', { message: '--search, --search-regex, --strings, --dump and --raw exclude one another' });
  }
  if ((hex || raw) && pid === undefined) {
    fail('USAGE', {
      message: 'a dump is of one process',
      hint: 'Give --pid; without options the PIDs are shown.',
    });
  }
  if (context > MAX_CONTEXT) fail('USAGE', { message: `--context is at most ${MAX_CONTEXT} bytes` });
  if (format !== undefined && format !== 'json' && format !== '') {
    fail('USAGE', { message: `--format "${format}" is not known: only json is` });
  }
}

function patternOf({ search: text, searchRegex }: Flags): Pattern | undefined {
  if (text !== undefined) {
    const bytes = Buffer.from(text);
    if (bytes.length === 0 || bytes.length > MAX_MATCH) {
      fail('USAGE', { message: `a text to search for has 1 to ${MAX_MATCH} bytes` });
    }
    return literalPattern(bytes);
  }
  if (searchRegex === undefined) return undefined;
  try {
    return regexPattern(searchRegex);
  } catch (error) {
    return fail('USAGE', { message: `--search-regex: ${messageOf(error)}`, cause: error });
  }
}

async function show(
  engine: EngineContext,
  name: string,
  { pid, format }: Flags,
  sink: Sink,
): Promise<number> {
  if (pid === undefined) {
    const rows = await memoryTable(engine, name);
    await sink(format === 'json' ? `${toJson(rows.map(rowAsJson), 2)}\n` : memoryTableText(rows));
    return 0;
  }
  const areas = await memoryAreas(engine, name, pid);
  await sink(format === 'json' ? `${toJson(areas.map(areaAsJson), 2)}\n` : areasText(areas));
  return 0;
}

const rowAsJson = (row: Awaited<ReturnType<typeof memoryTable>>[number]): object => ({
  pid: row.pid,
  command: row.name,
  memory_size: row.memoryBytes,
  shared_memory_size: row.sharedBytes,
});

const areaAsJson = ({
  area,
  label,
  savedBytes,
}: Awaited<ReturnType<typeof memoryAreas>>[number]): object => ({
  start: address(area.start),
  end: address(area.end),
  access: area.access,
  saved: savedBytes,
  what: label,
});

/** Prints items one by one, as a JSON array or as lines below headings: there may be more than fit into memory. */
function listing(sink: Sink, asJson: boolean, headings: string): { add: Adder; end: () => Promise<void> } {
  let begun = false;
  return {
    add: async (line, item) => {
      if (asJson) await sink(`${begun ? ',\n' : '[\n'}  ${JSON.stringify(item())}`);
      else await sink(begun ? line() : headings + line());
      begun = true;
    },
    end: async () => {
      if (asJson) await sink(begun ? '\n]\n' : '[]\n');
    },
  };
}

type Adder = (line: () => string, item: () => object) => Promise<void>;

async function search(
  engine: EngineContext,
  name: string,
  { pid, context, format }: Flags,
  pattern: Pattern,
  sink: Sink,
): Promise<number> {
  const list = listing(sink, format === 'json', `${FOUND_HEADINGS}MATCH\n`);
  const count = await searchMemory(engine, name, { pid, pattern, context }, (owner, match) =>
    list.add(
      () => foundLine(owner, match.address, asText(Buffer.concat([match.before, match.bytes, match.after]))),
      () => ({
        pid: owner.pid,
        command: owner.name,
        address: address(match.address),
        match: asText(match.bytes),
        before: asText(match.before),
        after: asText(match.after),
        hex: match.bytes.toString('hex'),
      }),
    ),
  );
  await list.end();
  return count === 0 ? 1 : 0;
}

async function strings(
  engine: EngineContext,
  name: string,
  { pid, min, format }: Flags,
  sink: Sink,
): Promise<number> {
  const list = listing(sink, format === 'json', `${FOUND_HEADINGS}TEXT\n`);
  await memoryStrings(engine, name, { pid, min: Math.max(min, 1) }, (owner, { address: at, text }) =>
    list.add(
      () => foundLine(owner, at, text.replaceAll('\t', ' ')),
      () => ({ pid: owner.pid, command: owner.name, address: address(at), text }),
    ),
  );
  await list.end();
  return 0;
}

/** Hex dump as checkpointctl writes it: repeated lines are left out on a terminal or pipe, and kept in a file. */
async function dump(engine: EngineContext, name: string, flags: Flags, sink: Sink): Promise<number> {
  const state = flags.output ? undefined : { previous: '', repeated: false };
  if (!flags.raw) await sink(DUMP_HEADINGS);
  await scanMemory(engine, name, { pid: flags.pid }, async (_owner, chunks) => {
    for await (const chunk of chunks)
      await sink(flags.raw ? chunk.bytes : hexDump(chunk.address, chunk.bytes, state));
  });
  return 0;
}
