/** Words that YAML would not take for strings, or characters with a meaning of their own. */
const NEEDS_QUOTES =
  /^$|^[\s>|@`"'%&*!?{}[\],#:-]|:\s|\s#|\s$|:$|\p{Cc}|^(?:true|false|null|yes|no|on|off|~)$|^[\d.+-]+$/iu;

const scalar = (value: unknown): string => {
  if (typeof value === 'string') return NEEDS_QUOTES.test(value) ? JSON.stringify(value) : value;
  return value === null || value === undefined ? 'null' : String(value);
};

const isNested = (value: unknown): value is object => typeof value === 'object' && value !== null;

const entriesOf = (value: object): [string, unknown][] =>
  Object.entries(value).filter(([, item]) => item !== undefined);

/**
 * Plain data (objects, arrays, strings, numbers, booleans, null) as block YAML 1.2, two spaces a level, as `info` prints
 * it. For people; programs are better served by JSON.
 */
export function toYaml(value: unknown, depth = 0): string {
  const indent = '  '.repeat(depth);
  if (!isNested(value)) return `${indent}${scalar(value)}\n`;
  if (Array.isArray(value)) return value.map((item) => listItem(item, depth)).join('');
  return entriesOf(value)
    .map(([key, item]) => {
      if (!isNested(item)) return `${indent}${key}: ${scalar(item)}\n`;
      if (isEmpty(item)) return `${indent}${key}: ${Array.isArray(item) ? '[]' : '{}'}\n`;
      // A list stands at the level of its key, as Go's YAML has it.
      return `${indent}${key}:\n${toYaml(item, Array.isArray(item) ? depth : depth + 1)}`;
    })
    .join('');
}

const isEmpty = (value: object): boolean => entriesOf(value).length === 0;

function listItem(item: unknown, depth: number): string {
  const indent = '  '.repeat(depth);
  if (!isNested(item)) return `${indent}- ${scalar(item)}\n`;
  if (isEmpty(item)) return `${indent}- ${Array.isArray(item) ? '[]' : '{}'}\n`;
  return `${indent}- ${toYaml(item, depth + 1).slice(indent.length + 2)}`;
}
