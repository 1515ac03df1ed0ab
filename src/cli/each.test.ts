import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CryopodError } from '../model/errors.ts';
import type { CliContext } from './context.ts';
import { forEachName, type Pass } from './each.ts';

interface Seen {
  readonly printed: string[];
  readonly begun: string[];
  readonly exit: number;
  readonly most: number;
}

/** Works on names; one that begins with `bad` fails. The later a name stands, the sooner its work ends. */
async function work(
  names: readonly string[],
  pass?: Pass,
  controller = new AbortController(),
): Promise<Seen> {
  const printed: string[] = [];
  const begun: string[] = [];
  let atWork = 0;
  let most = 0;
  const ctx: Pick<CliContext, 'signal' | 'print' | 'complain'> = {
    signal: controller.signal,
    print: (text) => printed.push(text.trim()),
    complain: (error) => printed.push(String((error as Error).message)),
  };
  const one = async (name: string): Promise<string> => {
    begun.push(name);
    atWork += 1;
    most = Math.max(most, atWork);
    for (let turn = names.indexOf(name); turn < names.length; turn += 1) await new Promise(setImmediate);
    atWork -= 1;
    if (name === 'interrupts') controller.abort(new CryopodError('INTERRUPTED', { message: 'interrupted' }));
    if (name.startsWith('bad')) throw new CryopodError('NO_SUCH_CONTAINER', { message: `failed: ${name}` });
    return name;
  };
  const exit = await forEachName(ctx as CliContext, names, one, { NO_SUCH_CONTAINER: 7 }, pass);
  return { printed, begun, exit, most };
}

test('without more to say, names are worked on one after the other, and a failure stops none of them', async () => {
  const { printed, begun, exit, most } = await work(['a', 'bad', 'c']);
  assert.deepEqual(printed, ['a', 'failed: bad', 'c']);
  assert.deepEqual([begun, exit, most], [['a', 'bad', 'c'], 7, 1]);
});

test('several at a time are so many and no more, and what they say comes in the order of the names', async () => {
  const names = ['a', 'b', 'bad-1', 'd', 'bad-2', 'f'];
  const { printed, exit, most } = await work(names, { jobs: 3 });
  assert.deepEqual(printed, ['a', 'b', 'failed: bad-1', 'd', 'failed: bad-2', 'f']);
  assert.deepEqual([exit, most], [7, 3]);
});

test('backwards, the last name is worked on first and yet told last', async () => {
  const { printed, begun } = await work(['a', 'b', 'c'], { jobs: 1, backwards: true });
  assert.deepEqual(
    [printed, begun],
    [
      ['a', 'b', 'c'],
      ['c', 'b', 'a'],
    ],
  );
});

test('after an interruption nothing new is begun, and the error is that of the interruption', async () => {
  const printed = work(['a', 'interrupts', 'c']);
  await assert.rejects(printed, { code: 'INTERRUPTED', message: 'interrupted' });
});
