import { findReference } from '../../engine/history/find.ts';
import { listHistory } from '../../engine/history/list.ts';
import { type VerifyReport, verifyHistory } from '../../engine/history/verify.ts';
import { ERROR_TABLE } from '../../model/errors.ts';
import { findContainer } from '../../state/containers.ts';
import type { CliContext } from '../context.ts';
import { defineCommand } from '../parse/command.ts';
import { defineFlags } from '../parse/flags.ts';
import { spacedSize } from '../render/human.ts';
import { isJsonFormat, toJson } from '../render/template.ts';

interface Result extends VerifyReport {
  readonly container: string;
}

export const command = defineCommand({
  usage: '[options] [CONTAINER|CONTAINER@NAME]',
  long: 'Reads all that is stored of the named checkpoints, compares it with the digests of when it was written, and names what is not as it was and which checkpoints it hits. Ends with status 125 where anything is damaged.',
  examples: ['checkpoint verify', 'checkpoint verify db', 'checkpoint verify db@before-upgrade'],
  flags: defineFlags({ format: { type: 'string', value: 'FORMAT', help: 'json' } }),
  args: { max: 1 },
  run: async (ctx: CliContext, { format }, [name]) => {
    const engine = await ctx.engine();
    const one = name?.includes('@') === true ? findReference(engine, name) : undefined;
    const ids =
      name === undefined
        ? [...new Set(listHistory(engine, undefined).map(({ container }) => container))]
        : [one?.container.config.id ?? findContainer(engine.db, name).config.id];
    const results: Result[] = [];
    for (const id of ids) {
      const container = findContainer(engine.db, id).config.name;
      results.push({ container, ...(await verifyHistory(engine, id, one?.name)) });
    }
    ctx.print(format !== undefined && isJsonFormat(format) ? `${toJson(results, 2)}\n` : asText(results));
    return results.some(({ damages }) => damages.length > 0) ? ERROR_TABLE.IMAGE_INVALID.exit : 0;
  },
});

function asText(results: readonly Result[]): string {
  return results
    .map(({ container, checked, objects, bytes, damages }) => {
      const what = `${container}: ${checked.length} checkpoints, ${objects} objects, ${spacedSize(bytes)}`;
      if (damages.length === 0) return `${what}: all as they were written\n`;
      const lines = damages.map(
        ({ checkpoint, object, problem, hits }) =>
          `  ${container}@${checkpoint}: ${object}: ${problem}; hits ${hits.join(', ')}\n`,
      );
      return `${what}: DAMAGED\n${lines.join('')}`;
    })
    .join('');
}
