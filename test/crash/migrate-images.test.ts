import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { FAULT_POINTS, type FaultPoint } from '../../src/system/faults.ts';
import { assertExactlyOne, cutAt, type Pair, via, withPair } from '../fixtures/moving.ts';
import type { Sandbox } from '../fixtures/sandbox.ts';
import { ACTIONS, IMAGE } from './support.ts';

const MOVE = ['migrate', '--mode', 'cold', '--compress', 'none'];

const HERE: readonly FaultPoint[] = ['image.sent'];
const THERE: readonly FaultPoint[] = ['image.come', 'image.taken', 'image.kept'];

const POINTS = [...HERE, ...THERE];

const entries = async (path: string): Promise<string[]> => (existsSync(path) ? await readdir(path) : []);

/** The image has come whole, or nothing of it is there; then it goes for the next move. */
async function assertWholeOrNothing({ root, ok }: Sandbox, what: string): Promise<void> {
  const ids = await ok(['images', '--quiet']);
  if (ids === '') {
    for (const place of ['blobs/sha256', 'layers', 'staging']) {
      assert.deepEqual(await entries(join(root, place)), [], `${what}: ${place}`);
    }
    return;
  }
  assert.equal(await ok(['images', '--format', '{{.Repository}}:{{.Tag}}']), IMAGE, what);
  await ok(['run', '--rm', '--network', 'none', IMAGE, 'true']);
  await ok(['rmi', IMAGE]);
}

async function assertStays(pair: Pair, what: string): Promise<void> {
  assert.equal(await assertExactlyOne(pair, what), pair.one, `${what}: it goes on where it was`);
  await assertWholeOrNothing(pair.other, what);
}

test('a move that breaks while the image is on its way leaves the container where it was, and no half image', async () => {
  assert.deepEqual(
    FAULT_POINTS.filter((point) => point.startsWith('image.')),
    POINTS,
  );
  await withPair(async (pair) => {
    const { one, other } = pair;
    await other.ok(['rmi', IMAGE]);
    for (const point of POINTS) {
      for (const action of ACTIONS) {
        const fault = `${point}:${action}`;
        const isThere = THERE.includes(point);
        const link = via(other, { env: isThere ? [`CRYOPOD_FAULT=${fault}`] : [] });
        const { code } = await one.cryopod([...MOVE, ...link, 'c'], isThere ? {} : { CRYOPOD_FAULT: fault });
        assert.notEqual(code, 0, fault);
        await assertStays(pair, fault);
      }
      await cutAt({ source: one, target: other }, { point, isHere: HERE.includes(point), move: MOVE });
      await assertStays(pair, `${point}: cut`);
    }
  });
});
