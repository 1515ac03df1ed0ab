import type { Container } from '../../../model/container.ts';

/** What inspect tells beside the container's record. Paths are absolute. */
export interface InspectFacts {
  readonly bundle: string;
  readonly runDirectory: string;
  readonly monitorPidFile: string;
  readonly pidFile: string;
  /** The container's cgroup below the hierarchy's root. */
  readonly cgroupPath: string;
  /** Digest of the image's manifest; empty when the image is gone. */
  readonly imageDigest: string;
  /** `merged` is undefined while nothing is mounted. */
  readonly overlay: {
    readonly lower: readonly string[];
    readonly upper: string;
    readonly work: string;
    readonly merged: string | undefined;
  };
  /** Host directories of volumes by name. */
  readonly volumes: Readonly<Record<string, string>>;
  readonly process: ProcessFacts;
  /** The container whose network namespace this one joins. */
  readonly networkOwner?: Container | undefined;
  /** Bytes; only with --size. */
  readonly size?: { readonly rw: number; readonly rootFs: number } | undefined;
}

/** The container's first process as the runtime last got it, or as it would get it now. */
export interface ProcessFacts {
  readonly env: readonly string[];
  readonly boundingCaps: readonly string[];
  readonly effectiveCaps: readonly string[];
  /** -1 is unlimited. */
  readonly rlimits: readonly { readonly type: string; readonly soft: number; readonly hard: number }[];
  readonly annotations: Readonly<Record<string, string>>;
  readonly cgroupNamespace: 'private' | 'host';
}
