/** A named or anonymous volume; its content lies in `mountpoint`. */
export interface Volume {
  readonly name: string;
  readonly driver: 'local';
  readonly mountpoint: string;
  /** ISO 8601. */
  readonly created: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly options: Readonly<Record<string, string>>;
  readonly anonymous: boolean;
  /** False until a container has copied the image's content up into it. */
  readonly copiedUp: boolean;
}
