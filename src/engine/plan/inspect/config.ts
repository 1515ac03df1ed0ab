import type { Container } from '../../../model/container.ts';
import { signalName } from '../../../model/signals.ts';
import type { InspectFacts } from './facts.ts';
import { type Fields, nilIfEmpty, omitEmpty } from './fields.ts';
import { portBindings } from './network.ts';

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
      Cmd: nilIfEmpty(config.command),
      Image: config.imageName,
      Volumes: nilIfEmpty({}),
      WorkingDir: config.workdir,
      Entrypoint: nilIfEmpty(config.entrypoint),
      OnBuild: null,
      Labels: nilIfEmpty(config.labels),
      Annotations: nilIfEmpty(process.annotations),
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
