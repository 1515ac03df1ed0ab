import assert from 'node:assert/strict';
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import type { FaultPoint } from '../../src/system/faults.ts';
import type { Sandbox } from '../fixtures/sandbox.ts';
import { type Command, PASSES } from './passes.ts';
import { ACTIONS } from './support.ts';

/** A command that broke. */
export interface Broken {
  /** Where and how, in the words of faultPoint. */
  readonly fault: string;
  readonly stderr: string;
  /** The last one at this point. */
  readonly isLast: boolean;
}

/** A command, what it begins with, and what must hold once it broke. */
export interface Breaking {
  readonly name: Command;
  readonly command: () => readonly string[];
  /** Makes what the command begins with, whatever is there. */
  readonly begin: () => Promise<void>;
  /** Asserts what must hold; its first command repairs. True where the work of the command is done all the same. */
  readonly after: (broken: Broken) => Promise<boolean>;
  /** Asserts that the work of the command is done, and leads back to what the command begins with. */
  readonly rewind: () => Promise<void>;
  /** The decisive ones, where another suite breaks the same steps. */
  readonly only?: readonly FaultPoint[];
}

/** Names of the durable steps that a command passes, and how often. */
async function passesOf(box: Sandbox, command: readonly string[]): Promise<Map<string, number>> {
  const file = join(box.directory, 'trace.json');
  const { code, stderr } = await box.cryopod(command, { CRYOPOD_TRACE: file });
  assert.equal(code, 0, stderr);
  const text = (await readFile(file, 'utf8')).trim().replace(/,$/, '');
  await rm(file);
  const times = new Map<string, number>();
  for (const { name, ph } of JSON.parse(`${text}]`) as { name: string; ph: string }[]) {
    if (ph === 'i') times.set(name, (times.get(name) ?? 0) + 1);
  }
  return times;
}

/**
 * What is asked for at a point, in the words of faultPoint. Every file that gets its name is a place of its own: before it
 * has it the command dies, and after it the disk is broken or full.
 */
function faultsAt(point: FaultPoint, times: number): string[] {
  if (!point.startsWith('durable.')) return ACTIONS.map((action) => `${point}:${action}`);
  return Array.from({ length: times }, (_, index) => {
    const action = point === 'durable.before-rename' ? 'kill' : index % 2 === 0 ? 'eio' : 'enospc';
    return `${point}@${index + 1}:${action}`;
  });
}

/**
 * Breaks a command at every durable step that it passes: cryopod dies there, or meets a broken or full disk. After each,
 * what `after` asserts must hold; at each step the operation is repeated in the end, and must succeed.
 */
export async function breakEverywhere(t: TestContext, box: Sandbox, breaking: Breaking): Promise<void> {
  const { name, command, begin, after, rewind, only } = breaking;
  await begin();
  const times = await passesOf(box, command());
  await rewind();
  if (only === undefined) assert.deepEqual(new Set(times.keys()), new Set(PASSES[name]), 'passes.ts');
  let isReady = true;
  /** What fails leaves who knows what. */
  const fromBegin = async (work: () => Promise<void>): Promise<void> => {
    if (!isReady) await begin();
    isReady = false;
    await work();
    isReady = true;
  };
  for (const point of only ?? PASSES[name]) {
    await t.test(point, async () => {
      const faults = faultsAt(point, times.get(point) ?? 0);
      for (const fault of faults) {
        await fromBegin(async () => {
          const { code, stderr } = await box.cryopod(command(), { CRYOPOD_FAULT: fault });
          assert.notEqual(code, 0, `${fault} broke the command: ${stderr}`);
          if (await after({ fault, stderr, isLast: fault === faults.at(-1) })) await rewind();
        });
      }
      await fromBegin(async () => {
        await box.ok(command());
        await rewind();
      });
    });
  }
}
