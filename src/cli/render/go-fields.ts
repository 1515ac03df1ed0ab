import { templateView } from './view.ts';

/** Fields whose name in Go is not the one in JSON with a capital letter. */
const NAMES: Readonly<Record<string, string>> = {
  cgroupVersion: 'CgroupsVersion',
  cpus: 'CPUs',
  ociRuntime: 'OCIRuntime',
  ociRuntimes: 'OCIRuntimes',
  os: 'OS',
};

const goName = (key: string): string => NAMES[key] ?? `${key.charAt(0).toUpperCase()}${key.slice(1)}`;

/** Data with lower-case keys for templates that write them as Go's fields (`.Host.Arch`); JSON stays as it is. */
export function goFields(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(goFields);
  if (typeof value !== 'object' || value === null) return value;
  const fields = Object.entries(value).map(([key, item]) => [goName(key), goFields(item)] as const);
  return templateView(Object.fromEntries(fields), value);
}
