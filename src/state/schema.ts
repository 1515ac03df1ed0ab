/** Each entry takes the schema one version up. Entries are never changed once released, only added. */
export const MIGRATIONS: readonly string[] = [
  `
  CREATE TABLE containers (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    config TEXT NOT NULL,
    state TEXT NOT NULL,
    sequence INTEGER NOT NULL
  ) STRICT;
  CREATE TABLE images (id TEXT PRIMARY KEY, image TEXT NOT NULL) STRICT;
  CREATE TABLE image_names (
    name TEXT PRIMARY KEY,
    image_id TEXT NOT NULL REFERENCES images(id) ON DELETE CASCADE
  ) STRICT;
  CREATE TABLE volumes (name TEXT PRIMARY KEY, volume TEXT NOT NULL) STRICT;
  CREATE TABLE journal (
    id INTEGER PRIMARY KEY,
    operation TEXT NOT NULL,
    subject TEXT NOT NULL,
    data TEXT NOT NULL,
    pid INTEGER NOT NULL,
    pid_start TEXT NOT NULL,
    boot_id TEXT NOT NULL,
    since TEXT NOT NULL
  ) STRICT;
  CREATE TABLE locks (
    name TEXT PRIMARY KEY,
    operation TEXT NOT NULL,
    pid INTEGER NOT NULL,
    pid_start TEXT NOT NULL,
    boot_id TEXT NOT NULL,
    since TEXT NOT NULL
  ) STRICT;
  `,
  `
  CREATE TABLE exits (
    container TEXT PRIMARY KEY,
    code INTEGER NOT NULL,
    since INTEGER NOT NULL
  ) STRICT;
  `,
  `
  CREATE TABLE checkpoints (
    container TEXT NOT NULL REFERENCES containers(id) ON DELETE CASCADE,
    name TEXT NOT NULL,
    sequence INTEGER NOT NULL,
    created TEXT NOT NULL,
    status TEXT NOT NULL,
    parent TEXT NOT NULL,
    automatic INTEGER NOT NULL,
    whole_bytes INTEGER NOT NULL,
    own_bytes INTEGER NOT NULL,
    log_bytes INTEGER NOT NULL,
    digest TEXT NOT NULL,
    message TEXT NOT NULL,
    PRIMARY KEY (container, name)
  ) STRICT;
  CREATE TABLE schedules (
    container TEXT PRIMARY KEY REFERENCES containers(id) ON DELETE CASCADE,
    schedule TEXT NOT NULL
  ) STRICT;
  `,
  `
  CREATE TABLE arrivals (
    token TEXT PRIMARY KEY,
    container TEXT NOT NULL,
    stage TEXT NOT NULL,
    message TEXT NOT NULL,
    since TEXT NOT NULL
  ) STRICT;
  `,
];
