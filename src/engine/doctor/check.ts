/** One thing that doctor looked at. */
export interface Check {
  /** What was looked at: `CRIU`, `runtime runc`. */
  readonly name: string;
  /** fail: checkpoint and restore will not work. warn: they will, but something else will not. */
  readonly status: 'ok' | 'warn' | 'fail';
  /** What is there. */
  readonly found: string;
  /** What will not work because of it. */
  readonly meaning?: string | undefined;
  /** What to do about it. */
  readonly fix?: string | undefined;
}

export const good = (name: string, found: string): Check => ({ name, status: 'ok', found });

export const warn = (name: string, found: string, meaning: string, fix?: string): Check => ({
  name,
  status: 'warn',
  found,
  meaning,
  fix,
});

export const bad = (name: string, found: string, meaning: string, fix?: string): Check => ({
  name,
  status: 'fail',
  found,
  meaning,
  fix,
});
