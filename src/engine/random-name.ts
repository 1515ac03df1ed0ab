import { randomInt } from 'node:crypto';

const STATES = [
  'amber', 'arctic', 'brisk', 'calm', 'clear', 'cool', 'crisp', 'deep', 'drowsy', 'frosty', 'gentle', 'glacial',
  'hushed', 'icy', 'idle', 'lucid', 'mellow', 'misty', 'nimble', 'northern', 'pale', 'patient', 'polar', 'quiet',
  'resting', 'serene', 'silent', 'silver', 'sleepy', 'slow', 'snowy', 'sober', 'steady', 'still', 'tranquil', 'wintry',
];
const THINGS = [
  'aurora', 'badger', 'beluga', 'birch', 'bison', 'cedar', 'comet', 'crane', 'dormouse', 'eider', 'ermine', 'fir',
  'fjord', 'floe', 'fox', 'glacier', 'hare', 'hedgehog', 'heron', 'iceberg', 'lark', 'lemming', 'lichen', 'lynx',
  'marmot', 'moose', 'narwhal', 'orca', 'owl', 'petrel', 'pine', 'puffin', 'raven', 'seal', 'stoat', 'tern', 'walrus',
  'wolf',
];

const pick = (words: readonly string[]): string => words[randomInt(words.length)] ?? '';

/** A name such as quiet_walrus that `taken` does not know. */
export function pickName(taken: (name: string) => boolean): string {
  for (let attempt = 0; ; attempt += 1) {
    const base = `${pick(STATES)}_${pick(THINGS)}`;
    const name = attempt < 10 ? base : `${base}${randomInt(10_000)}`;
    if (!taken(name)) return name;
  }
}
