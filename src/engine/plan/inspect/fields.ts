export type Fields = Record<string, unknown>;

/**
 * Takes the named fields out of the object's JSON where they are empty, as Go's `omitempty` does. Templates can read
 * them all the same, since to them they are fields of a struct.
 */
export function omitEmpty<T extends Fields>(fields: T, ...names: readonly (keyof T & string)[]): T {
  for (const name of names) {
    if (isEmpty(fields[name])) Object.defineProperty(fields, name, { enumerable: false });
  }
  return fields;
}

/** An empty list or map that JSON shows as null, as Go's nil ones; to templates it is an empty one. */
export function nilIfEmpty<T extends readonly unknown[] | Readonly<Fields>>(value: T): T {
  return isEmpty(value) ? Object.defineProperty(copyOf(value), 'toJSON', { value: () => null }) : value;
}

const copyOf = <T extends readonly unknown[] | Readonly<Fields>>(value: T): T =>
  (Array.isArray(value) ? [...value] : { ...value }) as T;

function isEmpty(value: unknown): boolean {
  if (Array.isArray(value)) return value.length === 0;
  if (typeof value === 'object' && value !== null) return Object.keys(value).length === 0;
  return value === undefined || value === null || value === '' || value === 0 || value === false;
}
