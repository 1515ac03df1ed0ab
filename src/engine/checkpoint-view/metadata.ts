import { release } from 'node:os';
import type * as v from 'valibot';
import { type ArchiveFacts, MAX_FACTS_BYTES, parseArchiveFacts } from '../../archive/facts.ts';
import { MEMBER } from '../../archive/members.ts';
import { parseNetworkStatus } from '../../archive/network-status.ts';
import { errnoOf } from '../../model/errors.ts';
import { readFileInRoot } from '../../system/confined-path.ts';
import { bootId } from '../../system/procfs.ts';
import { bundleDirectory } from '../../system/store-paths.ts';
import type { EngineContext } from '../context.ts';
import { CONFIG_DUMP, parseMember, SPEC_DUMP } from './member-schema.ts';
import type { CheckpointView } from './open.ts';

const MAX_BYTES = 16 << 20;

export interface NetworkInterface {
  readonly network: string;
  readonly name: string;
  readonly mac: string;
  /** With prefix length: `10.88.0.5/16`. */
  readonly addresses: readonly string[];
  readonly gateways: readonly string[];
}

/** What a checkpoint says of its container, beside the processes. Empty where it does not tell. */
export interface CheckpointMetadata {
  readonly id: string;
  readonly name: string;
  readonly image: string;
  readonly imageId: string;
  readonly runtime: string;
  /** When the container was made, and when it was frozen: ISO 8601. */
  readonly created: string;
  readonly checkpointed: string;
  /** Who made the checkpoint: `cryopod`, `Podman`, `CRI-O`, `containerd`. */
  readonly engine: string;
  readonly command: readonly string[];
  readonly environment: readonly string[];
  readonly workdir: string;
  readonly mounts: v.InferOutput<typeof SPEC_DUMP>['mounts'];
  readonly annotations: Readonly<Record<string, string>>;
  readonly networks: readonly NetworkInterface[];
  /** Host and programs, where the checkpoint says so. */
  readonly facts: ArchiveFacts | undefined;
  /** `uname -r` where it was made. */
  readonly kernel: string;
}

type Spec = v.InferOutput<typeof SPEC_DUMP>;

/** Reads what lies beside CRIU's images. Errors: ARCHIVE_INVALID. */
export function readMetadata(ctx: EngineContext, view: CheckpointView): CheckpointMetadata {
  return view.container === undefined ? fromMembers(view) : fromRecord(ctx, view, view.container);
}

function fromMembers({ members, images }: CheckpointView): CheckpointMetadata {
  const directory = members ?? '';
  const config = parseMember(CONFIG_DUMP, read(directory, MEMBER.config) ?? '{}', MEMBER.config);
  const spec = parseMember(SPEC_DUMP, read(directory, MEMBER.spec) ?? '{}', MEMBER.spec);
  const json = read(directory, MEMBER.facts, MAX_FACTS_BYTES);
  const facts = json === undefined ? undefined : parseArchiveFacts(json);
  return {
    id: config.id,
    name: config.name,
    image: config.rootfsImageName,
    imageId: config.rootfsImageID,
    runtime: config.runtime,
    created: config.createdTime,
    checkpointed: facts?.created ?? config.checkpointedTime,
    engine: facts === undefined ? engineOf(spec) : 'cryopod',
    ...processOf(spec),
    // cryopod keeps all addresses beside CRIU's images, and for podman the fixed ones only.
    networks: networksIn(read(images, MEMBER.network) ?? read(directory, MEMBER.network)),
    facts,
    kernel: facts?.host.kernel ?? '',
  };
}

function fromRecord(
  ctx: EngineContext,
  view: CheckpointView,
  { config, state }: NonNullable<CheckpointView['container']>,
): CheckpointMetadata {
  const json = read(bundleDirectory(ctx.store, config.id), 'config.json');
  const spec = parseMember(SPEC_DUMP, json ?? '{}', 'config.json');
  return {
    id: config.id,
    name: config.name,
    image: config.imageName,
    imageId: config.imageId,
    runtime: config.runtime,
    created: config.created,
    checkpointed: state.checkpointedAt ?? '',
    engine: 'cryopod',
    ...processOf(spec),
    networks: networksIn(read(view.images, MEMBER.network)),
    facts: undefined,
    // A checkpoint of another boot may be of another kernel.
    kernel: state.bootId === bootId() ? release() : '',
  };
}

const processOf = ({ process, mounts, annotations }: Spec) => ({
  command: process.args,
  environment: process.env,
  workdir: process.cwd,
  mounts,
  annotations,
});

/** As checkpointctl tells them apart. */
function engineOf({ annotations }: Spec): string {
  const manager = annotations['io.container.manager'];
  if (manager === 'libpod') return 'Podman';
  if (manager === 'cri-o') return 'CRI-O';
  return Object.keys(annotations).length === 0 ? '' : 'containerd';
}

function networksIn(json: string | undefined): NetworkInterface[] {
  if (json === undefined || json.trim() === '') return [];
  const status = parseNetworkStatus(json);
  return Object.entries(status)
    .toSorted(([one], [other]) => (one < other ? -1 : 1))
    .flatMap(([network, { interfaces }]) =>
      Object.entries(interfaces).map(([name, { mac_address: mac, subnets }]) => ({
        network,
        name,
        mac,
        addresses: subnets.map(({ ipnet }) => ipnet).filter(Boolean),
        gateways: subnets.flatMap(({ gateway = '' }) => (gateway === '' ? [] : [gateway])),
      })),
    );
}

/** A member's text; undefined where there is none. Links out of the directory are not followed. */
export function read(directory: string, name: string, limit = MAX_BYTES): string | undefined {
  try {
    return readFileInRoot(directory, name, limit);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}
