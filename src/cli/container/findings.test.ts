import assert from 'node:assert/strict';
import { test } from 'node:test';
import { obstacle, ok, warning } from '../../engine/plan/preflight/finding.ts';
import { isCryopodError } from '../../model/errors.ts';
import { preflightStatus, refuseFormatAlone, renderFindings } from './findings.ts';

const GOOD = { input: 'a', findings: [ok('state', 'running'), warning('kernel', 'it is older', 'Boot.')] };
const BAD = {
  input: 'b.tar',
  findings: [obstacle('name', 'NAME_IN_USE', 'it is\u001b[31m taken', 'Use --name.')],
};

test('findings are lines with a mark, with what to change below them and a verdict', () => {
  assert.equal(
    renderFindings([GOOD, BAD], 'restored'),
    [
      'ok        state   running',
      'warning   kernel  it is older',
      '                  Hint: Boot.',
      '',
      'a can be restored.',
      '',
      'OBSTACLE  name  it is [31m taken',
      '                Hint: Use --name.',
      '',
      'b.tar cannot be restored: 1 obstacle.',
      '',
    ].join('\n'),
  );
});

test('a warning leaves the status 0, an obstacle makes it 125', () => {
  assert.equal(preflightStatus([GOOD]), 0);
  assert.equal(preflightStatus([GOOD, BAD]), 125);
});

test('findings are JSON and data for templates', () => {
  assert.deepEqual(JSON.parse(renderFindings([BAD], 'restored', 'json')), {
    works: false,
    containers: [
      {
        input: 'b.tar',
        works: false,
        findings: [
          {
            check: 'name',
            level: 'obstacle',
            sentence: 'it is\u001b[31m taken',
            hint: 'Use --name.',
            code: 'NAME_IN_USE',
          },
        ],
      },
    ],
  });
  assert.equal(renderFindings([GOOD], 'restored', '{{.works}}'), 'true\n');
});

test('a format without a dry run is refused', () => {
  assert.throws(
    () => refuseFormatAlone(false, 'json'),
    (error) => isCryopodError(error, 'USAGE'),
  );
  refuseFormatAlone(true, 'json');
  refuseFormatAlone(false, undefined);
});
