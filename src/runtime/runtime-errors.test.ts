import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type ErrorCode, isCryopodError } from '../model/errors.ts';
import { decisiveLine, failRuntime } from './runtime-errors.ts';

function codeOf(message: string): ErrorCode | undefined {
  try {
    return failRuntime('runc', message);
  } catch (error) {
    return isCryopodError(error) ? error.code : undefined;
  }
}

test('A command that does not exist is told apart, in the words of runc and of crun', () => {
  const runc = 'unable to start container process: exec: "foo": executable file not found in $PATH';
  assert.equal(codeOf(runc), 'COMMAND_NOT_FOUND');
  assert.equal(codeOf('exec: "/foo": stat /foo: no such file or directory'), 'COMMAND_NOT_FOUND');
  assert.equal(
    codeOf('executable file `foo` not found in $PATH: No such file or directory'),
    'COMMAND_NOT_FOUND',
  );
  assert.throws(() => failRuntime('runc', runc), {
    message: `runc: ${runc}: OCI runtime attempted to invoke a command that was not found`,
  });
});

test('A command that cannot be executed is told apart', () => {
  assert.equal(codeOf('exec: "/etc": permission denied'), 'COMMAND_NOT_EXECUTABLE');
  assert.equal(codeOf('open executable: Permission denied'), 'COMMAND_NOT_EXECUTABLE');
  assert.equal(codeOf('exec container process `/x`: Exec format error'), 'COMMAND_NOT_EXECUTABLE');
});

test('A missing mount or any other failure is the runtime’s', () => {
  assert.equal(
    codeOf('error mounting "/gone" to rootfs at "/x": stat /gone: no such file or directory'),
    'RUNTIME_FAILED',
  );
  assert.equal(codeOf('cgroups: cannot find controller'), 'RUNTIME_FAILED');
});

test('The decisive line is the last logged error, else the last line', () => {
  const log = [
    '{"level":"warning","msg":"careful","time":"x"}',
    '{"level":"error","msg":"first","time":"x"}',
    '{"level":"error","msg":"runc create failed: last","time":"x"}',
    '{"level":"debug","msg":"later","time":"x"}',
  ].join('\n');
  assert.equal(decisiveLine(log), 'runc create failed: last');
  assert.equal(decisiveLine('one\ntwo\n'), 'two');
  assert.equal(decisiveLine(''), '');
});
