import type { Container, ContainerConfig, ContainerState } from '../model/container.ts';
import { fail } from '../model/errors.ts';
import { isIdPrefix } from '../model/ids.ts';
import { type Database, textColumn, transaction } from './database.ts';

function fromRow(row: Record<string, unknown>): Container {
  return {
    config: JSON.parse(textColumn(row, 'config')) as ContainerConfig,
    state: JSON.parse(textColumn(row, 'state')) as ContainerState,
  };
}

/** All containers, oldest first. */
export function listContainers(db: Database): Container[] {
  return db.prepare('SELECT * FROM containers ORDER BY sequence').all().map(fromRow);
}

/** By full ID; undefined when there is none. */
export function containerById(db: Database, id: string): Container | undefined {
  const row = db.prepare('SELECT * FROM containers WHERE id = ?').get(id);
  return row === undefined ? undefined : fromRow(row);
}

/** By its whole name, never by an ID that begins like it; undefined when there is none. */
export function containerByName(db: Database, name: string): Container | undefined {
  const row = db.prepare('SELECT * FROM containers WHERE name = ?').get(name);
  return row === undefined ? undefined : fromRow(row);
}

/** By name, full ID or unique beginning of an ID; undefined when there is none. Errors: AMBIGUOUS_ID. */
export function lookupContainer(db: Database, nameOrId: string): Container | undefined {
  const exact = db.prepare('SELECT * FROM containers WHERE name = ? OR id = ?').get(nameOrId, nameOrId);
  if (exact !== undefined) return fromRow(exact);
  if (!isIdPrefix(nameOrId)) return undefined;
  const [first, second] = db.prepare('SELECT * FROM containers WHERE id LIKE ? LIMIT 2').all(`${nameOrId}%`);
  if (second !== undefined) {
    fail('AMBIGUOUS_ID', {
      message: `more than one result for container name or ID ${nameOrId}: container already exists`,
      hint: 'Give more digits of the ID, or the name.',
    });
  }
  return first === undefined ? undefined : fromRow(first);
}

/** Like {@link lookupContainer}. Errors: NO_SUCH_CONTAINER. */
export function findContainer(db: Database, nameOrId: string): Container {
  return lookupContainer(db, nameOrId) ?? failNoContainer(nameOrId);
}

/** Throws NO_SUCH_CONTAINER in podman's words. */
export function failNoContainer(nameOrId: string): never {
  fail('NO_SUCH_CONTAINER', {
    message: `no container with name or ID "${nameOrId}" found: no such container`,
  });
}

/** The container made last. Errors: NO_SUCH_CONTAINER. */
export function latestContainer(db: Database): Container {
  const row = db.prepare('SELECT * FROM containers ORDER BY sequence DESC LIMIT 1').get();
  if (row === undefined)
    return fail('NO_SUCH_CONTAINER', { message: 'no containers found: no such container' });
  return fromRow(row);
}

/** Adds a container. Errors: NAME_IN_USE. */
export function insertContainer(db: Database, { config, state }: Container): void {
  transaction(db, () => {
    refuseTakenName(db, config.name, config.id);
    db.prepare(
      'INSERT INTO containers SELECT ?, ?, ?, ?, COALESCE(MAX(sequence), 0) + 1 FROM containers',
    ).run(config.id, config.name, JSON.stringify(config), JSON.stringify(state));
  });
}

function refuseTakenName(db: Database, name: string, id: string): void {
  const holder = db.prepare('SELECT id FROM containers WHERE name = ? AND id <> ?').get(name, id);
  if (holder === undefined) return;
  fail('NAME_IN_USE', {
    message: `creating container storage: the container name "${name}" is already in use by ${textColumn(holder, 'id')}. You have to remove that container to be able to reuse that name: that name is already in use`,
    hint: 'Remove it, choose another --name, or give --replace.',
  });
}

/** Changes the state in one transaction and returns the new one. Errors: NO_SUCH_CONTAINER. */
export function updateState(db: Database, id: string, change: Partial<ContainerState>): Container {
  return transaction(db, () => {
    const { config, state } = findContainer(db, id);
    const next = { ...state, ...change };
    db.prepare('UPDATE containers SET state = ? WHERE id = ?').run(JSON.stringify(next), id);
    return { config, state: next };
  });
}

/** Replaces config and state (rename, restore with new ports). Errors: NAME_IN_USE. */
export function replaceContainer(db: Database, { config, state }: Container): void {
  transaction(db, () => {
    refuseTakenName(db, config.name, config.id);
    db.prepare('UPDATE containers SET name = ?, config = ?, state = ? WHERE id = ?').run(
      config.name,
      JSON.stringify(config),
      JSON.stringify(state),
      config.id,
    );
  });
}

/** Milliseconds for which the exit code of a removed container can still be asked for, as in podman. */
const EXIT_MEMORY_MS = 5 * 60_000;

/** Forgets a container but for its exit code, which whoever waits for it may ask for a while. Idempotent. */
export function deleteContainer(db: Database, id: string): void {
  transaction(db, () => {
    const container = containerById(db, id);
    if (container === undefined) return;
    const now = Date.now();
    db.prepare('DELETE FROM exits WHERE since < ?').run(now - EXIT_MEMORY_MS);
    db.prepare('INSERT OR REPLACE INTO exits VALUES (?, ?, ?)').run(id, container.state.exitCode, now);
    db.prepare('DELETE FROM containers WHERE id = ?').run(id);
  });
}

/** The exit code of a container that was removed lately; undefined when it is not known (any more). */
export function exitCodeOfRemoved(db: Database, id: string): number | undefined {
  const row = db.prepare('SELECT code FROM exits WHERE container = ?').get(id);
  return row === undefined ? undefined : Number(row.code);
}
