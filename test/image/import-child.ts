/** Imports an archive into a store: `node import-child.ts ROOT ARCHIVE`. A test sets CRYOPOD_FAULT for it. */
import { importImage } from '../../src/image/import.ts';

const [root = '', archive = ''] = process.argv.slice(2);
await importImage({ root, runroot: root }, { path: archive });
