import type { Container } from '../../../model/container.ts';
import { signalName } from '../../../model/signals.ts';
import type { InspectFacts } from './facts.ts';
import { type Fields, omitEmpty } from './fields.ts';
import { portBindings } from './network.ts';

const orNull = <T extends object>(map: T): T | null => (Object.keys(map).length === 0 ? null : map);

/** `Config`: what runs. Pure. */
export const configData = ({ config }: Container, { process }: InspectFacts): Fields =>
  omitEmpty(
    {
      Hostname: config.hostname,
      Domainname: '',
      User: config.user,
      AttachStdin: false,
      AttachStdout: false,
      AttachStderr: false,
      Tty: config.tty,
      OpenStdin: config.interactive,
      StdinOnce: false,
      Env: process.env,
      Cmd: config.command.length === 0 ? null : config.command,
      Image: config.imageName,
      Volumes: null,
      WorkingDir: config.workdir,
      Entrypoint: config.entrypoint.length === 0 ? null : config.entrypoint,
      OnBuild: null,
      Labels: orNull(config.labels),
      Annotations: orNull(process.annotations),
      StopSignal: signalName(config.stopSignal),
      HealthcheckOnFailureAction: 'none',
      CreateCommand: config.createCommand,
      Timezone: '',
      SystemdMode: false,
      Umask: '0022',
      Timeout: 0,
      StopTimeout: config.stopTimeout,
      Passwd: true,
      sdNotifyMode: 'container',
      ExposedPorts: Object.fromEntries(
        Object.keys(portBindings(config.network.ports)).map((port) => [port, {}]),
      ),
    },
    'CreateCommand',
    'Timezone',
    'SystemdMode',
    'ExposedPorts',
  );
