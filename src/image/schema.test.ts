import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isCryopodError } from '../model/errors.ts';
import { choosePlatform, parsePlatform } from './platform.ts';
import { isIndex, parseImageConfig, parseIndex, parseManifest } from './schema.ts';

const DIGEST = `sha256:${'a'.repeat(64)}`;
const manifest = { schemaVersion: 2, config: { digest: DIGEST, size: 1 }, layers: [] };
const invalid = (pattern: RegExp) => (error: unknown) =>
  isCryopodError(error, 'IMAGE_INVALID') && pattern.test(error.message);

test('a config keeps fields that nobody here knows, and null means absent', () => {
  const json = JSON.stringify({
    architecture: 'amd64',
    config: { Env: null, Cmd: ['a'], OnBuild: ['x'] },
    rootfs: { type: 'layers', diff_ids: [DIGEST] },
  });
  const config = parseImageConfig(json, 'it');
  assert.deepEqual(config.config, { Cmd: ['a'], OnBuild: ['x'] });
});

test('malformed documents are refused with the place of the defect', () => {
  assert.throws(() => parseManifest('{', 'it'), invalid(/not JSON/));
  assert.throws(() => parseManifest('[]', 'it'), invalid(/malformed/));
  const bad = { ...manifest, config: { digest: 'sha256:../../etc/passwd', size: 1 } };
  assert.throws(() => parseManifest(JSON.stringify(bad), 'it'), invalid(/config\.digest/));
  const negative = { ...manifest, layers: [{ digest: DIGEST, size: -1 }] };
  assert.throws(() => parseManifest(JSON.stringify(negative), 'it'), invalid(/layers\.0\.size/));
  const config = { config: { Cmd: 'sh' }, rootfs: { type: 'layers', diff_ids: [] } };
  assert.throws(() => parseImageConfig(JSON.stringify(config), 'it'), invalid(/config\.Cmd/));
});

test('an index is told from a manifest and the platform is chosen from it', () => {
  const entry = (digest: string, architecture: string, variant?: string) => ({
    digest: `sha256:${digest.repeat(64)}`,
    size: 1,
    platform: { os: 'linux', architecture, ...(variant === undefined ? {} : { variant }) },
  });
  const json = JSON.stringify({
    schemaVersion: 2,
    manifests: [entry('1', 'amd64'), entry('2', 'arm', 'v6'), entry('3', 'arm', 'v7')],
  });
  assert.ok(isIndex(json));
  assert.ok(!isIndex(JSON.stringify(manifest)));
  assert.ok(!isIndex('nonsense'));
  const index = parseIndex(json, 'it');
  const choose = (platform: string): string =>
    choosePlatform(index, parsePlatform(platform), 'it').digest.slice(7, 8);
  assert.equal(choose('linux/amd64'), '1');
  assert.equal(choose('linux/arm/v7'), '3');
  assert.equal(choose('arm'), '2');
  assert.throws(
    () => choose('linux/s390x'),
    (error) => isCryopodError(error, 'IMAGE_FAILED') && /linux\/amd64/.test(error.hint ?? ''),
  );
  assert.throws(
    () => parsePlatform('a/b/c/d'),
    (error) => isCryopodError(error, 'USAGE'),
  );
});
