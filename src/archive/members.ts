/** Names of an archive's members, as podman has them (podman pkg/checkpoint, checkpoint-restore/checkpointctl lib/metadata.go). */
export const MEMBER = {
  /** The container's configuration. */
  config: 'config.dump',
  /** The OCI runtime specification it ran with. */
  spec: 'spec.dump',
  /** The addresses it had, by network. */
  network: 'network.status',
  /** CRIU's figures of the dump. */
  statistics: 'stats-dump',
  /** Content of /dev/shm. */
  shm: 'devshm-checkpoint.tar',
  /** What the container had written so far. */
  log: 'ctr.log',
  /** Files added to and changed in the root file system. */
  rootfsDiff: 'rootfs-diff.tar',
  /** JSON list of paths deleted from the root file system. */
  deleted: 'deleted.files',
  /** cryopod's own, which podman leaves alone: facts on the host and the programs that made the checkpoint. */
  facts: 'cryopod.json',
  /** cryopod's own: the base image as an OCI archive (`--with-image`). */
  image: 'cryopod-image.tar',
  /** cryopod's own, the last member: what every member before it is to be. */
  sums: 'cryopod.sums',
} as const;

/** Directories of members. */
export const MEMBER_DIRECTORY = {
  /** CRIU's images. */
  images: 'checkpoint',
  /** CRIU's images of a pre-checkpoint: memory only. */
  preImages: 'pre-checkpoint',
  /** podman keeps nothing in it. */
  artifacts: 'artifacts',
  /** One NAME.tar for each volume. */
  volumes: 'volumes',
} as const;

/** The one symbolic link of an archive: images of a checkpoint that lack the pages of the one before it. */
export const PARENT_LINK = {
  name: `${MEMBER_DIRECTORY.images}/parent`,
  target: `../${MEMBER_DIRECTORY.preImages}`,
} as const;

export type ArchiveCompression = 'zstd' | 'gzip' | 'none';

/** One member as it was written or read. */
export interface MemberDigest {
  readonly name: string;
  /** Bytes, uncompressed. */
  readonly size: number;
  /**
   * 64 hexadecimal digits, of the uncompressed content. Undefined for what a program has compressed in a frame of its own,
   * which carries a check of its own (XXH64 of zstd, CRC-32 of gzip).
   */
  readonly sha256?: string | undefined;
}

/** Content of {@link MEMBER.sums}. */
export interface ArchiveSums {
  /** 1: all members have a digest. */
  readonly version: 1 | 2;
  readonly members: readonly MemberDigest[];
  /** SHA-256 of the lines `SHA256  SIZE  NAME\n` of all members in their order, `-` for no digest: of the whole. */
  readonly sha256: string;
}
