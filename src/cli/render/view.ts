/**
 * Data for templates whose fields have other names in JSON: `{{.DNSEnabled}}` reads the field, `{{json .}}` and the like
 * print `wire`. Go programs get this from struct tags.
 */
export function templateView<T extends object>(fields: T, wire: unknown): T {
  Object.defineProperty(fields, 'toJSON', { value: () => wire, enumerable: false });
  return fields;
}
