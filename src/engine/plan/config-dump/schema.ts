import * as v from 'valibot';
import { fail, messageOf } from '../../../model/errors.ts';
import { parseGoJson } from '../../../model/go-json.ts';
import { destination, digest, line, listOf, name, text, textMap, texts } from './fields.ts';

/** Both files are far smaller: 20 KB each, most of it the seccomp profile. */
const MAX_CHARACTERS = 8 << 20;

const flag = v.exactOptional(v.boolean());
const number = v.exactOptional(v.number());

const perNetwork = {
  static_ips: v.exactOptional(texts),
  static_mac: v.exactOptional(text),
  aliases: v.exactOptional(texts),
  interface_name: v.exactOptional(text),
};

/**
 * config.dump: podman's ContainerConfig (libpod/container_config.go of 3.4, 4.3, 5.8 and 6.0), as far as cryopod reads
 * it. Fields that only refuse the import are there for their presence.
 */
const configDump = v.object({
  id: digest,
  name,
  pod: v.exactOptional(text),
  Dependencies: v.exactOptional(texts),
  CreateCommand: v.exactOptional(texts),
  idMappingsOptions: v.exactOptional(
    v.object({
      HostUIDMapping: flag,
      UIDMap: v.exactOptional(v.array(v.unknown())),
      AutoUserNs: flag,
    }),
  ),
  rootfsImageID: v.exactOptional(digest),
  rootfsImageName: v.exactOptional(line),
  RawImageName: v.exactOptional(line),
  rootfs: v.exactOptional(text),
  shmSize: number,
  NoShm: flag,
  NOShmShare: flag,
  namedVolumes: v.exactOptional(
    listOf(
      v.object({
        volumeName: name,
        dest: destination,
        options: v.exactOptional(texts),
        setAnonymous: flag,
        SubPath: v.exactOptional(text),
      }),
    ),
  ),
  overlayVolumes: v.exactOptional(v.array(v.unknown())),
  ctrImageVolumes: v.exactOptional(v.array(v.unknown())),
  artifactVolumes: v.exactOptional(v.array(v.unknown())),
  secrets: v.exactOptional(v.array(v.unknown())),
  secret_env: v.exactOptional(v.record(v.string(), v.unknown())),
  privileged: flag,
  user: v.exactOptional(line),
  groups: v.exactOptional(texts),
  newPortMappings: v.exactOptional(
    listOf(
      v.object({
        host_ip: v.exactOptional(text),
        container_port: v.number(),
        host_port: v.exactOptional(v.number()),
        range: number,
        protocol: v.exactOptional(text),
      }),
    ),
  ),
  portMappings: v.exactOptional(
    listOf(
      v.object({
        hostIP: v.exactOptional(text),
        containerPort: v.number(),
        hostPort: v.exactOptional(v.number()),
        protocol: v.exactOptional(text),
      }),
    ),
  ),
  dnsServer: v.exactOptional(texts),
  dnsSearch: v.exactOptional(texts),
  dnsOption: v.exactOptional(texts),
  hostsAdd: v.exactOptional(texts),
  orderedNetworks: v.exactOptional(listOf(v.object({ name, ...perNetwork }))),
  newNetworks: v.exactOptional(v.record(name, v.object(perNetwork))),
  networks: v.exactOptional(listOf(name)),
  staticIP: v.exactOptional(text),
  networkMode: v.exactOptional(text),
  createNetNS: flag,
  userVolumes: v.exactOptional(texts),
  entrypoint: v.exactOptional(texts),
  command: v.exactOptional(texts),
  stdin: flag,
  labels: v.exactOptional(textMap),
  stopSignal: number,
  stopTimeout: number,
  createdTime: v.string(),
  cgroupManager: v.exactOptional(text),
  logDriver: v.exactOptional(text),
  logSize: number,
  runtime: v.exactOptional(text),
  healthcheck: v.exactOptional(v.unknown()),
  device_host_src: v.exactOptional(v.array(v.looseObject({ path: text }))),
  mountAllDevices: flag,
  /** Only cryopod's own archives. */
  cryopod: v.exactOptional(v.looseObject({ version: v.number(), config: v.unknown() })),
});

/** spec.dump: the OCI runtime specification (config.md, config-linux.md), as far as cryopod reads it. */
const specDump = v.object({
  process: v.object({
    terminal: flag,
    args: v.exactOptional(texts),
    env: v.exactOptional(texts),
    cwd: v.exactOptional(text),
    capabilities: v.exactOptional(v.object({ bounding: v.exactOptional(texts) })),
    rlimits: v.exactOptional(listOf(v.object({ type: text, soft: number, hard: number }))),
    noNewPrivileges: flag,
    apparmorProfile: v.exactOptional(text),
  }),
  root: v.exactOptional(v.object({ readonly: flag })),
  hostname: v.exactOptional(text),
  mounts: v.exactOptional(
    listOf(
      v.object({
        destination,
        type: v.exactOptional(text),
        source: v.exactOptional(text),
        options: v.exactOptional(texts),
      }),
    ),
  ),
  hooks: v.exactOptional(v.record(v.string(), v.unknown())),
  annotations: v.exactOptional(textMap),
  linux: v.object({
    namespaces: v.exactOptional(listOf(v.object({ type: text, path: v.exactOptional(text) }))),
    devices: v.exactOptional(listOf(v.object({ path: text, type: text, major: number, minor: number }))),
    resources: v.exactOptional(
      v.object({
        devices: v.exactOptional(
          listOf(
            v.object({
              allow: v.boolean(),
              type: v.exactOptional(text),
              major: number,
              minor: number,
              access: v.exactOptional(text),
            }),
          ),
        ),
        memory: v.exactOptional(v.object({ limit: number, swap: number })),
        cpu: v.exactOptional(v.object({ quota: number, period: number, cpus: v.exactOptional(text) })),
        pids: v.exactOptional(v.object({ limit: number })),
      }),
    ),
    seccomp: v.exactOptional(v.unknown()),
    maskedPaths: v.exactOptional(texts),
    readonlyPaths: v.exactOptional(texts),
  }),
});

export type ConfigDump = v.InferOutput<typeof configDump>;
export type SpecDump = v.InferOutput<typeof specDump>;

/** config.dump; unknown fields are left out, nothing is believed yet. Fails with ARCHIVE_INVALID. */
export const parseConfigDump = (json: string): ConfigDump => parse(configDump, json, 'config.dump');

/** spec.dump. Fails with ARCHIVE_INVALID. */
export const parseSpecDump = (json: string): SpecDump => parse(specDump, json, 'spec.dump');

function parse<const S extends v.GenericSchema>(schema: S, json: string, what: string): v.InferOutput<S> {
  if (json.length > MAX_CHARACTERS) malformed(what, `it has ${json.length} characters`);
  return checked(schema, decode(json, what), what);
}

function decode(json: string, what: string): unknown {
  try {
    return parseGoJson(json);
  } catch (error) {
    return malformed(what, messageOf(error), error);
  }
}

/** Validates a part of an archive. Fails with ARCHIVE_INVALID, naming the field. */
export function checked<const S extends v.GenericSchema>(
  schema: S,
  value: unknown,
  what: string,
): v.InferOutput<S> {
  const result = v.safeParse(schema, value);
  if (result.success) return result.output;
  const [issue] = result.issues;
  return malformed(what, `${v.getDotPath(issue) ?? 'top level'}: ${issue.message}`);
}

export const malformed = (what: string, why: string, cause?: unknown): never =>
  fail('ARCHIVE_INVALID', {
    message: `${what} of the archive cannot be used: ${why}`,
    hint: 'Make the archive anew; if it comes from someone else, do not trust it.',
    cause,
  });
