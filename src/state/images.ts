import type { Image } from '../model/image.ts';
import { type Database, textColumn, transaction } from './database.ts';

type StoredImage = Omit<Image, 'names'>;

/** All images with their names, newest first. */
export function listImages(db: Database): Image[] {
  const names = new Map<string, string[]>();
  for (const row of db.prepare('SELECT name, image_id FROM image_names ORDER BY name').all()) {
    const id = textColumn(row, 'image_id');
    names.set(id, [...(names.get(id) ?? []), textColumn(row, 'name')]);
  }
  return db
    .prepare('SELECT id, image FROM images')
    .all()
    .map((row) => {
      const image = JSON.parse(textColumn(row, 'image')) as StoredImage;
      return { ...image, names: names.get(image.id) ?? [] };
    })
    .sort((a, b) => b.created.localeCompare(a.created));
}

/** Adds an image, or adds its names to the one that is there; a name that belonged to another image moves. */
export function putImage(db: Database, image: Image): void {
  transaction(db, () => {
    const { names, ...stored } = image;
    db.prepare('INSERT OR IGNORE INTO images VALUES (?, ?)').run(image.id, JSON.stringify(stored));
    for (const name of names) setName(db, name, image.id);
  });
}

function setName(db: Database, name: string, id: string): void {
  db.prepare(
    'INSERT INTO image_names VALUES (?, ?) ON CONFLICT(name) DO UPDATE SET image_id = excluded.image_id',
  ).run(name, id);
}

/** Gives an image one more name; the name moves if another image has it. */
export function tagImage(db: Database, id: string, name: string): void {
  transaction(db, () => setName(db, name, id));
}

/** Takes a name away; the image stays. */
export function untagImage(db: Database, name: string): void {
  db.prepare('DELETE FROM image_names WHERE name = ?').run(name);
}

/** Forgets the image and its names. Idempotent. */
export function deleteImage(db: Database, id: string): void {
  db.prepare('DELETE FROM images WHERE id = ?').run(id);
}
