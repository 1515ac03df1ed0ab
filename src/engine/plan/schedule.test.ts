import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Schedule } from '../../state/schedules.ts';
import { automaticName, missedRuns, nextRun, scheduleUnits } from './schedule.ts';

const SCHEDULE: Schedule = {
  container: '0123456789abcdef'.repeat(4),
  every: 600,
  next: '2026-01-01T00:00:00.000Z',
  by: 'cryopod',
  retention: { last: 3, hourly: 0, daily: 0, weekly: 0, monthly: 0 },
  ignoreVolumes: false,
  tcpEstablished: false,
  fileLocks: false,
};

const at = (time: string): number => Date.parse(`2026-01-01T${time}Z`);

test('A run that comes a little late misses none, and the next one is due in step', () => {
  assert.equal(missedRuns(SCHEDULE, at('00:00:05')), undefined);
  assert.equal(nextRun(SCHEDULE, at('00:00:05')), '2026-01-01T00:10:00.000Z');
  assert.equal(nextRun(SCHEDULE, at('00:10:00')), '2026-01-01T00:20:00.000Z');
});

test('What was due while nobody ran is missed, but for the run that is made now', () => {
  assert.deepEqual(missedRuns(SCHEDULE, at('00:35:00')), { count: 3, last: at('00:20:00') });
  assert.equal(nextRun(SCHEDULE, at('00:35:00')), '2026-01-01T00:40:00.000Z');
});

test('A run before its time moves nothing', () => {
  assert.equal(
    nextRun({ ...SCHEDULE, next: '2026-01-01T01:00:00.000Z' }, at('00:30:00')),
    '2026-01-01T01:00:00.000Z',
  );
});

test('Automatic names are names of checkpoints and sort by time', () => {
  assert.equal(automaticName(new Date('2026-11-24T14:23:01.934Z')), 'auto-20261124T142301Z');
});

test('The units hold the interval and the command, quoted as systemd reads it', () => {
  const { name, timer, service } = scheduleUnits(SCHEDULE, [
    '/usr/bin/cryopod',
    '--root',
    '/a b/100%$"x"',
    'run',
  ]);
  assert.equal(name, 'cryopod-checkpoint-0123456789ab');
  assert.match(timer, /^OnActiveSec=600$/m);
  assert.match(timer, /^OnUnitActiveSec=600$/m);
  assert.match(timer, /^Unit=cryopod-checkpoint-0123456789ab\.service$/m);
  assert.match(service, /^Type=oneshot$/m);
  const line = service.split('\n').find((one) => one.startsWith('ExecStart='));
  assert.equal(line, 'ExecStart="/usr/bin/cryopod" "--root" "/a b/100%%$$\\"x\\"" "run"');
});
