/** What a missing key of a map yields; prints as `<no value>`. */
export const NO_VALUE: unique symbol = Symbol('no value');

/**
 * Fields that hold maps in podman's types. Elsewhere an object stands for a struct: reading a field that it does
 * not have is an error, while a missing key of a map yields `<no value>`. A JavaScript Map is always a map.
 */
export const MAP_FIELDS: ReadonlySet<string> = new Set([
  'Labels',
  'Annotations',
  'Options',
  'Networks',
  'Ports',
  'PortBindings',
  'ExposedPorts',
  'Volumes',
  'Sysctls',
  'GraphOptions',
  'Tmpfs',
]);

export type Struct = Readonly<Record<string, unknown>>;

export const isStruct = (value: unknown): value is Struct =>
  typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Map);

/** The value of a field as the template sees it: maps as Map, undefined as null. */
export function fieldValue(owner: Struct, name: string): unknown {
  const value = owner[name];
  if (MAP_FIELDS.has(name) && isStruct(value)) return new Map(Object.entries(value));
  return value ?? null;
}

const byText = ([a]: readonly [string, unknown], [b]: readonly [string, unknown]): number =>
  a < b ? -1 : a > b ? 1 : 0;

/** Entries of a map or an object in the order of their keys, as Go iterates over maps in templates. */
export function sortedEntries(value: Map<unknown, unknown> | Struct): [string, unknown][] {
  const entries: [string, unknown][] =
    value instanceof Map
      ? [...value].map(([key, item]) => [String(key), item])
      : Object.keys(value).map((key) => [key, fieldValue(value, key)]);
  return entries.sort(byText);
}

/** Go's truth: false, zero, empty and nil are false. */
export function isTrue(value: unknown): boolean {
  if (value === NO_VALUE || value === null || value === undefined) return false;
  if (Array.isArray(value)) return value.length > 0;
  if (value instanceof Map) return value.size > 0;
  if (isStruct(value)) return Object.keys(value).length > 0;
  return Boolean(value);
}

/** Names a value's type in errors as Go would. */
export function typeName(value: unknown): string {
  if (value === NO_VALUE || value === null || value === undefined) return 'nil';
  if (Array.isArray(value)) return '[]interface {}';
  if (value instanceof Map) return 'map[string]interface {}';
  switch (typeof value) {
    case 'string':
      return 'string';
    case 'boolean':
      return 'bool';
    case 'number':
      return Number.isInteger(value) ? 'int' : 'float64';
    case 'bigint':
      return 'int';
    case 'function':
      return 'func';
    default:
      return 'struct';
  }
}

/** JSON without escapes for HTML; Maps become objects. `indent` is the number of spaces a level, 0 for one line. */
export function toJson(value: unknown, indent = 0): string {
  const plain = (_key: string, item: unknown): unknown => {
    if (item === NO_VALUE || typeof item === 'function') return null;
    if (typeof item === 'bigint') return Number(item);
    return item instanceof Map ? Object.fromEntries(sortedEntries(item)) : item;
  };
  return JSON.stringify(value ?? null, plain, indent);
}
