import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Image, ImageConfig } from '../model/image.ts';
import { imageHistory, inspectImage } from './inspect.ts';
import { decisiveText } from './skopeo.ts';

const DIGEST = `sha256:${'d'.repeat(64)}`;
const image: Image = {
  id: 'a'.repeat(64),
  digest: DIGEST,
  names: ['localhost/a:1', 'localhost/a:2', `quay.io/a@${DIGEST}`],
  layers: ['l1', 'l2'],
  size: 30,
  created: '2024-01-01T00:00:00Z',
  annotations: { k: 'v' },
};
const config: ImageConfig = {
  architecture: 'amd64',
  os: 'linux',
  config: { Cmd: ['sh'], Env: [], User: 'me', Entrypoint: null },
  rootfs: { type: 'layers', diff_ids: [DIGEST, DIGEST] },
  history: [
    { created: '1', created_by: 'ADD' },
    { created: '2', created_by: 'CMD', empty_layer: true },
    { created: '3', created_by: 'RUN', comment: 'last' },
  ],
};
const manifest = { schemaVersion: 2 as const, config: { digest: DIGEST, size: 1 }, layers: [] };

test('inspect shows tags and digests apart, and leaves empty settings out', () => {
  const shown = inspectImage(image, config, manifest);
  assert.deepEqual(shown.RepoTags, ['localhost/a:1', 'localhost/a:2']);
  assert.deepEqual(shown.RepoDigests, [`localhost/a@${DIGEST}`, `quay.io/a@${DIGEST}`]);
  assert.deepEqual(shown.Config, { User: 'me', Cmd: ['sh'] });
  assert.equal(shown.Comment, 'last');
  assert.equal(shown.Labels, null);
  assert.equal(shown.ManifestType, 'application/vnd.oci.image.manifest.v1+json');
  assert.deepEqual(shown.Annotations, { k: 'v' });
});

test('history starts with the last step and gives each layer to the step that made it', () => {
  const rows = imageHistory(image, config, [10, 20]);
  assert.deepEqual(
    rows.map(({ id, createdBy, size }) => [id, createdBy, size]),
    [
      [image.id, 'RUN', 20],
      ['<missing>', 'CMD', 0],
      ['<missing>', 'ADD', 10],
    ],
  );
  assert.deepEqual(rows[0]?.tags, ['localhost/a:1', 'localhost/a:2']);
  assert.equal(imageHistory(image, { rootfs: config.rootfs }, [10, 20]).length, 2);
});

test('the reason of a failed transfer is taken from the fatal line of the log', () => {
  const stderr =
    'time="t" level=warning msg="a"\ntime="t" level=fatal msg="pinging: Get \\"https://h/v2/\\": EOF"\n';
  assert.equal(decisiveText(stderr), 'pinging: Get "https://h/v2/": EOF');
  assert.equal(decisiveText('plain\ntext\n'), 'plain; text');
});
