import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isCryopodError } from '../model/errors.ts';
import { applyChanges, type ContainerDefaults } from './changes.ts';

const CASES: readonly { readonly change: string; readonly result: ContainerDefaults }[] = [
  { change: 'CMD ["redis-server","--port","1"]', result: { Cmd: ['redis-server', '--port', '1'] } },
  { change: 'cmd echo hi', result: { Cmd: ['/bin/sh', '-c', 'echo hi'] } },
  { change: 'CMD=/bin/sh', result: { Cmd: ['/bin/sh', '-c', '/bin/sh'] } },
  { change: 'CMD ["a",1]', result: { Cmd: ['/bin/sh', '-c', '["a",1]'] } },
  { change: 'ENTRYPOINT ["/init"]', result: { Entrypoint: ['/init'] } },
  { change: 'ENV A=1', result: { Env: ['A=1'] } },
  { change: 'ENV=A=1', result: { Env: ['A=1'] } },
  { change: 'ENV A="b c" D=e\\ f G=\'h "i"\'', result: { Env: ['A=b c', 'D=e f', 'G=h "i"'] } },
  { change: 'ENV A b c', result: { Env: ['A=b c'] } },
  { change: 'EXPOSE 80 53/udp', result: { ExposedPorts: { '80/tcp': {}, '53/udp': {} } } },
  { change: 'EXPOSE 8000-8001/tcp', result: { ExposedPorts: { '8000/tcp': {}, '8001/tcp': {} } } },
  { change: 'LABEL a="b c" d=', result: { Labels: { a: 'b c', d: '' } } },
  { change: 'ONBUILD RUN x', result: { OnBuild: ['RUN x'] } },
  { change: 'STOPSIGNAL SIGUSR1', result: { StopSignal: 'SIGUSR1' } },
  { change: 'USER 1000:1000', result: { User: '1000:1000' } },
  { change: 'VOLUME ["/a","/b c"]', result: { Volumes: { '/a': {}, '/b c': {} } } },
  { change: 'VOLUME /a /b', result: { Volumes: { '/a': {}, '/b': {} } } },
  { change: 'WORKDIR /x/../y', result: { WorkingDir: '/y' } },
];

for (const { change, result } of CASES) {
  test(`the instruction ${change} is understood`, () => {
    assert.deepEqual(applyChanges({}, [change]), result);
  });
}

test('later instructions add to earlier ones or take their place', () => {
  const changes = [
    'ENV A=1 B=1',
    'ENV A=2',
    'EXPOSE 1',
    'EXPOSE 2',
    'CMD a',
    'CMD ["b"]',
    'WORKDIR /a',
    'WORKDIR b',
  ];
  assert.deepEqual(applyChanges({}, changes), {
    Env: ['A=2', 'B=1'],
    ExposedPorts: { '1/tcp': {}, '2/tcp': {} },
    Cmd: ['b'],
    WorkingDir: '/a/b',
  });
});

for (const change of [
  'CMD',
  'FOO bar',
  'EXPOSE x',
  'EXPOSE 70000',
  'STOPSIGNAL FOO',
  'ENV A',
  'ENV A=1 b',
  'LABEL a="b',
]) {
  test(`the instruction ${change} is refused and named`, () => {
    assert.throws(
      () => applyChanges({}, [change]),
      (error) => isCryopodError(error, 'USAGE') && error.message.startsWith(`invalid change "${change}"`),
    );
  });
}
