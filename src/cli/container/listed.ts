import type { ListedContainer } from '../../engine/list.ts';
import { goTime } from '../../model/go-time.ts';
import { shortId } from '../../model/ids.ts';
import type { PortMapping } from '../../model/network.ts';
import { humanAgo, humanCommand, humanLabels, humanPorts, humanSize, humanStatus } from '../render/human.ts';

interface ListedOptions {
  /** Whole IDs and commands (--no-trunc). */
  readonly whole: boolean;
  /** Milliseconds since 1970. */
  readonly now: number;
}

const portsOf = ({ config, state }: ListedContainer): readonly PortMapping[] =>
  state.ports ?? config.network.ports;

const networksOf = ({ config }: ListedContainer): string[] => config.network.networks.map(({ name }) => name);

const sizeText = ({ size }: ListedContainer): string =>
  size === undefined ? '' : `${roundSize(size.rw)} (virtual ${roundSize(size.rootFs)})`;

/** Three digits, as podman's sizes of containers have them; {@link humanSize} has four. */
const roundSize = (bytes: number): string => humanSize(Number(bytes.toPrecision(3)));

/** The parts that tables, templates and JSON have in common, named as in podman's ListContainer. */
function commonFields({ config, state }: ListedContainer): Record<string, unknown> {
  return {
    AutoRemove: config.autoRemove,
    CIDFile: '',
    Exited: state.status === 'exited',
    ExitedAt: goTime(state.finishedAt).unix,
    ExitCode: state.exitCode,
    ExposedPorts: null,
    Image: config.imageName,
    IsInfra: false,
    Mounts: config.mounts.map(({ destination }) => destination),
    Pid: state.pid,
    Pod: '',
    PodName: '',
    Restarts: 0,
    StartedAt: goTime(state.startedAt).unix,
    State: state.status,
  };
}

/** The fields of `ps --format` templates, and the columns of its table. */
export function listedFields(
  listed: ListedContainer,
  { whole, now }: ListedOptions,
): Record<string, unknown> {
  const { config, state } = listed;
  const {
    cgroup = '',
    ipc = '',
    mnt = '',
    net = '',
    pid = '',
    user = '',
    uts = '',
  } = listed.namespaces ?? {};
  const created = goTime(config.created);
  const age = humanAgo(config.created, now);
  const namespaces = { Cgroup: cgroup, IPC: ipc, MNT: mnt, NET: net, PIDNS: pid, User: user, UTS: uts };
  return {
    ...commonFields(listed),
    ...namespaces,
    Command: humanCommand(config.command, whole),
    Created: created,
    CreatedAt: created.text,
    CreatedHuman: age,
    ID: whole ? config.id : shortId(config.id),
    ImageID: whole ? config.imageId : shortId(config.imageId),
    Label: (name: unknown) => config.labels[String(name)] ?? '',
    Labels: humanLabels(config.labels),
    Names: config.name,
    Namespaces: namespaces,
    Networks: networksOf(listed).join(','),
    Ports: humanPorts(portsOf(listed)),
    RunningFor: age,
    Size: sizeText(listed),
    Status: humanStatus(state, now),
  };
}

/** One element of `ps --format json`, with podman's keys. */
export function listedJson(listed: ListedContainer, now: number): Record<string, unknown> {
  const { config, state, size } = listed;
  const { cgroup, ipc, mnt, net, pid, user, uts } = listed.namespaces ?? {};
  const ports = portsOf(listed).map(({ hostIp, containerPort, hostPort, range, protocol }) => ({
    host_ip: hostIp,
    container_port: containerPort,
    host_port: hostPort,
    range,
    protocol,
  }));
  return {
    ...commonFields(listed),
    Command: config.command,
    CreatedAt: humanAgo(config.created, now),
    Id: config.id,
    ImageID: config.imageId,
    Labels: config.labels,
    Names: [config.name],
    Namespaces: { Mnt: mnt, Cgroup: cgroup, Ipc: ipc, Net: net, Pidns: pid, Uts: uts, User: user },
    Networks: networksOf(listed),
    Ports: ports.length === 0 ? null : ports,
    Size: size === undefined ? null : { rootFsSize: size.rootFs, rwSize: size.rw },
    Status: humanStatus(state, now),
    Created: goTime(config.created).unix,
  };
}
