import { defineFlags } from '../parse/flags.ts';

/** Options that `inspect` and `container inspect` share. */
export const INSPECT_FLAGS = defineFlags({
  format: { short: 'f', type: 'string', value: 'FORMAT', default: 'json', help: 'json or a Go template' },
  latest: { short: 'l', type: 'bool', help: 'The container made last' },
  size: { short: 's', type: 'bool', help: 'Sizes too' },
});
