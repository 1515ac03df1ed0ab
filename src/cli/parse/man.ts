import type { FlagDoc } from './help.ts';
import type { SurfaceNode } from './surface.ts';

/** Text that troff does not take for commands (groff_man(7)). */
const roff = (text: string): string =>
  text
    .replaceAll('\\', '\\e')
    .replaceAll('-', '\\-')
    .replace(/^(?=[.'])/gm, '\\&');

function flag({ short, long, value, optional, help }: FlagDoc): string {
  const names = [...(short === undefined ? [] : [`-${short}`]), `--${long}`].map(
    (name) => `\\fB${roff(name)}\\fR`,
  );
  const argument = value === '' ? '' : `${optional ? '[=' : '='}\\fI${roff(value)}\\fR${optional ? ']' : ''}`;
  return `.TP\n${names.join(', ')}${argument}\n${roff(help)}\n`;
}

const section = (title: string, body: string): string => (body === '' ? '' : `.SH ${title}\n${body}`);

/** The man page of one command or noun in roff, section 1: `cryopod-container-ls.1`. */
export function renderMan(node: SurfaceNode): string {
  const name = node.path.replaceAll(' ', '-');
  const program = node.path.split(' ')[0] ?? '';
  const commands = node.commands.map((child) => `.TP\n\\fB${roff(child.name)}\\fR\n${roff(child.short)}\n`);
  return [
    `.TH ${name.toUpperCase()} 1\n`,
    section('NAME', `${roff(name)} \\- ${roff(node.short)}\n`),
    section('SYNOPSIS', `\\fB${roff(node.path)}\\fR ${roff(node.usage)}\n`),
    section('DESCRIPTION', `${roff(node.long ?? node.short)}\n`),
    section('COMMANDS', commands.join('')),
    section('OPTIONS', node.flags.map(flag).join('')),
    section(
      'EXAMPLES',
      node.examples.map((example) => `.nf\n${roff(`${program} ${example}`)}\n.fi\n`).join(''),
    ),
  ].join('');
}
