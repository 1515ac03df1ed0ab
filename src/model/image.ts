/** An image in the local store. */
export interface Image {
  /** Digest of the config blob without `sha256:`: the same ID that podman shows. */
  readonly id: string;
  /** Digest of the manifest, with `sha256:`. */
  readonly digest: string;
  /** Fully qualified names with tags; a dangling image has none. */
  readonly names: readonly string[];
  /** Chain IDs of the layers, lowest first: directories of the layer store. */
  readonly layers: readonly string[];
  /** Uncompressed bytes of all layers. */
  readonly size: number;
  /** ISO 8601. */
  readonly created: string;
  /** Annotations of the manifest (checkpoint images carry theirs here). */
  readonly annotations: Readonly<Record<string, string>>;
}

/** The parts of an OCI image config that the engine reads (OCI image-spec config.md; Docker's field names agree). */
export interface ImageConfig {
  readonly architecture?: string;
  readonly os?: string;
  readonly created?: string;
  readonly author?: string;
  readonly config?: {
    readonly User?: string;
    readonly Env?: readonly string[];
    readonly Entrypoint?: readonly string[] | null;
    readonly Cmd?: readonly string[] | null;
    readonly WorkingDir?: string;
    readonly Labels?: Readonly<Record<string, string>> | null;
    readonly Volumes?: Readonly<Record<string, unknown>> | null;
    readonly ExposedPorts?: Readonly<Record<string, unknown>> | null;
    readonly StopSignal?: string;
  };
  readonly rootfs: { readonly type: string; readonly diff_ids: readonly string[] };
  readonly history?: readonly {
    readonly created?: string;
    readonly created_by?: string;
    readonly comment?: string;
    readonly empty_layer?: boolean;
  }[];
}
