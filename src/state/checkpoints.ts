import type { CheckpointStatus, NamedCheckpoint } from '../model/checkpoint.ts';
import { type Database, textColumn, transaction } from './database.ts';

const fromRow = (row: Record<string, unknown>): NamedCheckpoint => ({
  container: textColumn(row, 'container'),
  name: textColumn(row, 'name'),
  sequence: Number(row.sequence),
  created: textColumn(row, 'created'),
  status: textColumn(row, 'status') as CheckpointStatus,
  parent: textColumn(row, 'parent') || undefined,
  automatic: Number(row.automatic) === 1,
  wholeBytes: Number(row.whole_bytes),
  ownBytes: Number(row.own_bytes),
  logBytes: Number(row.log_bytes),
  digest: textColumn(row, 'digest'),
  message: textColumn(row, 'message'),
});

/** Those of one container, or of all, oldest first. */
export function listCheckpoints(db: Database, container?: string): NamedCheckpoint[] {
  const query = `SELECT checkpoints.* FROM checkpoints JOIN containers ON containers.id = container
    WHERE ?1 IS NULL OR container = ?1 ORDER BY containers.sequence, checkpoints.sequence`;
  return db
    .prepare(query)
    .all(container ?? null)
    .map(fromRow);
}

export function checkpointByName(db: Database, container: string, name: string): NamedCheckpoint | undefined {
  const row = db.prepare('SELECT * FROM checkpoints WHERE container = ? AND name = ?').get(container, name);
  return row === undefined ? undefined : fromRow(row);
}

/** Adds a checkpoint as its container's newest, in the place of a run of the same name that stored nothing. */
export function addCheckpoint(db: Database, checkpoint: Omit<NamedCheckpoint, 'sequence'>): void {
  transaction(db, () => {
    const { container } = checkpoint;
    const row = db
      .prepare('SELECT COALESCE(MAX(sequence), 0) + 1 AS next FROM checkpoints WHERE container = ?')
      .get(container);
    putCheckpoint(db, { ...checkpoint, sequence: Number(row?.next) });
  });
}

/** Adds or replaces. */
export function putCheckpoint(db: Database, checkpoint: NamedCheckpoint): void {
  db.prepare('INSERT OR REPLACE INTO checkpoints VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)').run(
    checkpoint.container,
    checkpoint.name,
    checkpoint.sequence,
    checkpoint.created,
    checkpoint.status,
    checkpoint.parent ?? '',
    checkpoint.automatic ? 1 : 0,
    checkpoint.wholeBytes,
    checkpoint.ownBytes,
    checkpoint.logBytes,
    checkpoint.digest,
    checkpoint.message,
  );
}

/** In one transaction: one checkpoint goes, and what was stored against it is as `heirs` say. Idempotent. */
export function deleteCheckpoint(
  db: Database,
  { container, name }: Pick<NamedCheckpoint, 'container' | 'name'>,
  heirs: readonly NamedCheckpoint[] = [],
): void {
  transaction(db, () => {
    for (const heir of heirs) putCheckpoint(db, heir);
    db.prepare('DELETE FROM checkpoints WHERE container = ? AND name = ?').run(container, name);
  });
}
