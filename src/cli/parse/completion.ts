import { fail } from '../../model/errors.ts';
import type { SurfaceNode } from './surface.ts';

const quote = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`;

const flagWords = (node: SurfaceNode): string[] => [
  ...node.flags.flatMap(({ short, long }) => [...(short === undefined ? [] : [`-${short}`]), `--${long}`]),
  '--help',
];

const words = (node: SurfaceNode): string =>
  [...node.commands.map(({ name }) => name), ...flagWords(node)].join(' ');

const programOf = (nodes: readonly SurfaceNode[]): string => nodes[0]?.path ?? '';

/** Words that follow each path; everything else completes as a file name. */
function bash(nodes: readonly SurfaceNode[]): string {
  const program = programOf(nodes);
  const cases = nodes.map((node) => `    ${quote(node.path)}) echo ${quote(words(node))} ;;`).join('\n');
  return `# bash completion for ${program}
_${program}_words() {
  case "$1" in
${cases}
    *) return 1 ;;
  esac
}
_${program}() {
  local path=${program} index
  for ((index = 1; index < COMP_CWORD; index++)); do
    _${program}_words "$path \${COMP_WORDS[index]}" >/dev/null && path="$path \${COMP_WORDS[index]}"
  done
  COMPREPLY=($(compgen -W "$(_${program}_words "$path")" -- "\${COMP_WORDS[COMP_CWORD]}"))
}
complete -o default -F _${program} ${program}
`;
}

/** The bash functions, through zsh's own adapter for them. */
const zsh = (nodes: readonly SurfaceNode[]): string =>
  `#compdef ${programOf(nodes)}\nautoload -U +X compinit && compinit\nautoload -U +X bashcompinit && bashcompinit\n${bash(nodes)}`;

function fish(nodes: readonly SurfaceNode[]): string {
  const program = programOf(nodes);
  const lines = nodes.flatMap((node) => {
    const condition = quote(`__${program}_at ${quote(node.path)}`);
    const start = `complete -c ${program} -n ${condition}`;
    return [
      ...node.commands.map(({ name, short }) => `${start} -f -a ${name} -d ${quote(short)}`),
      ...node.flags.map(({ short, long, help, value }) => {
        const letter = short === undefined ? '' : ` -s ${short}`;
        return `${start}${letter} -l ${long}${value === '' ? '' : ' -r'} -d ${quote(help)}`;
      }),
    ];
  });
  return `# fish completion for ${program}
set -g __${program}_paths ${nodes.map(({ path }) => quote(path)).join(' ')}
function __${program}_at
  set -l path ${program}
  for word in (commandline -opc)[2..-1]
    contains -- "$path $word" $__${program}_paths; and set path "$path $word"
  end
  test "$path" = "$argv[1]"
end
${lines.join('\n')}
`;
}

const SHELLS = { bash, zsh, fish } as const;

/** The script that a shell sources to complete commands and options. Throws USAGE for another shell. */
export function renderCompletion(shell: string, nodes: readonly SurfaceNode[]): string {
  for (const [name, render] of Object.entries(SHELLS)) if (name === shell) return render(nodes);
  return fail('USAGE', {
    message: `no completion for the shell "${shell}"`,
    hint: `Choose one of ${Object.keys(SHELLS).join(', ')}`,
  });
}
