import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { defineCommand, type Tree } from './command.ts';
import { renderCompletion } from './completion.ts';
import { defineFlags } from './flags.ts';
import { renderMan } from './man.ts';
import { surfaceOf } from './surface.ts';

const globals = defineFlags({ root: { type: 'string', help: "The store's root", value: 'DIR' } });
const run = defineCommand({
  usage: '[options] IMAGE',
  examples: ['run -d nginx'],
  flags: { detach: { short: 'd', type: 'bool', help: 'In the background' }, env: { type: 'list' } },
  run: () => 0,
});
const tree: Tree<unknown, typeof globals> = {
  name: 'cryopod',
  short: 'Freeze containers',
  version: '1',
  globals,
  commands: [
    { name: 'run', short: "Run it, don't wait", load: async () => run },
    { name: 'secret', short: 'x', hidden: true, load: async () => run },
    { name: 'container', short: 'Manage', commands: [{ name: 'run', short: 'Run', load: async () => run }] },
  ],
};

/** What bash offers for the last of these words. */
async function complete(...words: string[]): Promise<string[]> {
  const script = `${renderCompletion('bash', await surfaceOf(tree))}
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _cryopod; printf '%s\\n' "\${COMPREPLY[@]}"`;
  const { stdout, stderr } = spawnSync('bash', ['-c', script, 'bash', ...words], { encoding: 'utf8' });
  assert.equal(stderr, '');
  return stdout.split('\n').filter((line) => line !== '');
}

test('bash completes commands and options at each level', async () => {
  assert.deepEqual(await complete('cryopod', ''), ['run', 'container', '--root', '--help']);
  assert.deepEqual(await complete('cryopod', 'container', 'r'), ['run']);
  assert.deepEqual(await complete('cryopod', 'container', 'run', '--'), ['--detach', '--env', '--help']);
  assert.deepEqual(await complete('cryopod', 'run', 'image', '--d'), ['--detach']);
});

test('zsh and fish get scripts of the same words, and other shells are refused', async () => {
  const nodes = await surfaceOf(tree);
  assert.match(renderCompletion('zsh', nodes), /^#compdef cryopod\n/);
  assert.match(renderCompletion('fish', nodes), /-f -a run -d 'Run it, don'\\''t wait'/);
  assert.match(renderCompletion('fish', nodes), /-s d -l detach -d 'In the background'/);
  assert.throws(() => renderCompletion('csh', nodes), /no completion for the shell "csh"/);
});

test('man pages show usage, options and examples', async () => {
  const nodes = await surfaceOf(tree);
  assert.deepEqual(
    nodes.map(({ path }) => path),
    ['cryopod', 'cryopod run', 'cryopod container', 'cryopod container run'],
  );
  const page = nodes.map(renderMan)[1] ?? '';
  assert.match(page, /^\.TH CRYOPOD-RUN 1\n\.SH NAME\ncryopod\\-run \\- Run it, don't wait\n/);
  assert.match(page, /\\fB\\-d\\fR, \\fB\\-\\-detach\\fR\nIn the background\n/);
  assert.match(page, /\.nf\ncryopod run \\-d nginx\n\.fi/);
});
