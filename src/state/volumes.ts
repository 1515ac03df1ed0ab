import { fail } from '../model/errors.ts';
import type { Volume } from '../model/volume.ts';
import { type Database, textColumn } from './database.ts';

const fromRow = (row: Record<string, unknown>): Volume => JSON.parse(textColumn(row, 'volume')) as Volume;

/** All volumes by name. */
export const listVolumes = (db: Database): Volume[] =>
  db.prepare('SELECT volume FROM volumes ORDER BY name').all().map(fromRow);

export function volumeByName(db: Database, name: string): Volume | undefined {
  const row = db.prepare('SELECT volume FROM volumes WHERE name = ?').get(name);
  return row === undefined ? undefined : fromRow(row);
}

/** By name or unique beginning of it. Errors: NO_SUCH_VOLUME, AMBIGUOUS_ID. */
export function findVolume(db: Database, name: string): Volume {
  const exact = volumeByName(db, name);
  if (exact !== undefined) return exact;
  const candidates = listVolumes(db).filter((volume) => volume.name.startsWith(name));
  if (candidates.length > 1) {
    fail('AMBIGUOUS_ID', { message: `more than one result for volume name ${name}: volume already exists` });
  }
  return (
    candidates[0] ??
    fail('NO_SUCH_VOLUME', { message: `no volume with name "${name}" found: no such volume` })
  );
}

/** Adds or replaces. */
export function putVolume(db: Database, volume: Volume): void {
  db.prepare('INSERT OR REPLACE INTO volumes VALUES (?, ?)').run(volume.name, JSON.stringify(volume));
}

/** Idempotent. */
export function deleteVolume(db: Database, name: string): void {
  db.prepare('DELETE FROM volumes WHERE name = ?').run(name);
}
