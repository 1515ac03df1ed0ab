import type { ArchiveFacts } from '../../../archive/facts.ts';
import type { ImageNeeds } from '../../../criu/image-needs.ts';
import type { CriuDefect } from '../../../criu/probe.ts';
import type { ContainerConfig } from '../../../model/container.ts';
import type { NetworkStatus, PortMapping } from '../../../model/network.ts';
import type { Cpu } from '../../../system/cpu.ts';

export type { ImageNeeds } from '../../../criu/image-needs.ts';
export type { Cpu } from '../../../system/cpu.ts';

/** What an import knows of an archive once its metadata are read, before anything is created. */
export interface ArchiveView {
  /** As the user named the archive; for messages. */
  readonly name: string;
  /** The container in it. */
  readonly config: Omit<ContainerConfig, 'layers'>;
  /** What the container would get of the host, worded to follow "the container"; each needs the user's word (`trust`). */
  readonly risks: readonly { readonly sentence: string }[];
  /** What the archive asks for and no import gives. */
  readonly dropped?: readonly string[] | undefined;
  /** cryopod.json; undefined in podman's archives. */
  readonly facts: ArchiveFacts | undefined;
  /** network.status: the addresses that the processes know. */
  readonly networks: Readonly<Record<string, NetworkStatus>> | undefined;
  /** All members with their uncompressed bytes; undefined while they are not known. */
  readonly members: readonly { readonly name: string; readonly size: number }[] | undefined;
  /** Directory with `checkpoint/`: CRIU's images, as far as they were unpacked. */
  readonly directory: string;
}

export interface ImportCheckOptions {
  /** --name: the container gets this name, and an ID and anonymous volumes of its own. */
  readonly name?: string | undefined;
  /** --publish: instead of the archive's ports. */
  readonly publish?: readonly PortMapping[] | undefined;
  readonly ignoreRootfs: boolean;
  readonly ignoreVolumes: boolean;
  readonly ignoreStaticIp: boolean;
  readonly tcpEstablished: boolean;
  readonly tcpClose: boolean;
  readonly fileLocks: boolean;
  /** --trust: the risks are accepted. */
  readonly trust: boolean;
  /** --ignore-cpu: features that this CPU lacks are no obstacle. */
  readonly ignoreCpu: boolean;
}

/** A program that has to do its part, and what is wrong with it. */
export interface Ability {
  /** Why it will not do; undefined where it will. */
  readonly problem?: { readonly message: string; readonly hint?: string | undefined } | undefined;
}

/** This host and this store, seen with one archive in mind. */
export interface ImportFacts {
  readonly archive: ArchiveView;
  /** Undefined where the archive holds no images that could be read (a pre-checkpoint). */
  readonly needs: ImageNeeds | undefined;
  readonly isRoot: boolean;
  readonly host: {
    readonly architecture: string;
    /** In the words of `uname -m`. */
    readonly machine: string;
    readonly cpu: Cpu;
    readonly kernel: string;
    readonly cgroupVersion: 1 | 2;
    readonly lsm: 'none' | 'selinux' | 'apparmor';
    /** Loaded AppArmor profiles; undefined where they cannot be read. */
    readonly profiles: readonly string[] | undefined;
  };
  /** What the images leave open although the configuration, or that of every container, closes it. */
  readonly leaks: {
    /** Destinations of mounts that cannot be told from another one. */
    readonly ambiguous: readonly string[];
    /** The kernel's files on this host that processes would see and should not, and those that they could change. */
    readonly visible: readonly string[];
    readonly writable: readonly string[];
    /** System calls that a process could make and every default seccomp filter refuses. */
    readonly openCalls: readonly string[];
  };
  /** Seccomp profile of the container that is missing here. */
  readonly missingSeccomp?: string | undefined;
  /** `defects`: what is known not to work with this CRIU on this kernel. */
  readonly criu: Ability & { readonly version: string; readonly defects: readonly CriuDefect[] };
  /** `name`: the runtime that will restore. `asked`: by --runtime. */
  readonly runtime: Ability & { readonly name: string; readonly asked: boolean };
  readonly image: {
    readonly present: boolean;
    /** It comes with the archive. */
    readonly inArchive: boolean;
    /** Another image that is here under the archive's image name. */
    readonly otherId?: string | undefined;
  };
  /** The containers that have the name, and the ID. */
  readonly holders: {
    readonly name?: { readonly id: string; readonly name: string } | undefined;
    readonly id?: { readonly id: string; readonly name: string } | undefined;
  };
  /** Why a wanted host port cannot be had, in the words of its error. */
  readonly takenPorts: readonly { readonly message: string; readonly hint?: string | undefined }[];
  /** Networks of the container that are missing here, with the subnets that its addresses lay in. */
  readonly missingNetworks: readonly { readonly name: string; readonly subnets: readonly string[] }[];
  /** Why an address of the container cannot be had, in the words of its error. */
  readonly addressProblems: readonly { readonly message: string; readonly hint?: string | undefined }[];
  /** Volumes of the container that exist here. */
  readonly existingVolumes: readonly string[];
  /** Sources of bind mounts, and devices, that are missing here. */
  readonly missingSources: readonly { readonly source: string; readonly destination: string }[];
  /** What the archive's members take when unpacked; undefined while that is not known. */
  readonly bytes:
    | { readonly image: number; readonly rootfs: number; readonly volumes: number; readonly rest: number }
    | undefined;
  readonly space: { readonly directory: string; readonly free: number };
}
