import type { FileHandle } from 'node:fs/promises';
import type { ArchiveCompression, MemberDigest } from './members.ts';

/** Where an archive goes: a path that is replaced when it is complete, or an open file or pipe such as standard output. */
export type ArchiveTarget = { readonly path: string } | { readonly fd: number };

/** Where an archive comes from. */
export type ArchiveSource = { readonly path: string } | { readonly fd: number };

export interface ArchiveWriterOptions {
  readonly target: ArchiveTarget;
  readonly compression: ArchiveCompression;
  /** Existing directory for compressed pages while the target is a pipe; unused otherwise. */
  readonly scratch: string;
  /** Told the path of the temp file before it is made, so that it can be removed after a crash. */
  readonly onTempFile?: ((path: string) => void) | undefined;
  /** Told the uncompressed bytes written so far. */
  readonly progress?: ((bytes: number) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface WrittenArchive {
  /** As stored, compressed. */
  readonly bytes: number;
  readonly members: readonly MemberDigest[];
  /** Of {@link ArchiveSums}. */
  readonly sha256: string;
}

/**
 * Writes one archive, member after member, in one pass. The temp file beside the target is open (mode 0600) from the
 * beginning. Errors: NO_SPACE, USAGE (a target that cannot be written), ARCHIVE_FAILED, PROGRAM_FAILED, PROGRAM_MISSING,
 * INTERRUPTED. After an error only `discard` may be called. One call at a time.
 */
export interface ArchiveWriter {
  readonly addContent: (name: string, content: string | Uint8Array) => Promise<void>;
  readonly addDirectory: (name: string) => Promise<void>;
  /** The one link that a reader accepts: the checkpoint lacks the pages of the pre-checkpoint before it. */
  readonly addParentLink: () => Promise<void>;
  /** A regular file; symbolic links are not followed. It must not change meanwhile. */
  readonly addFile: (name: string, path: string) => Promise<void>;
  /** Content of unknown length: `produce` writes it to the descriptor and returns when all is written. */
  readonly addStream: (name: string, produce: (fd: number) => Promise<void>) => Promise<void>;
  /**
   * Runs a dump whose pages files in `directory` are FIFOs, and puts them into the archive as `prefix/pages-N.img` while
   * CRIU writes them. All FIFOs are gone afterwards. When the archive cannot be written, the rest of the pages is thrown
   * away until the dump has ended, and the archive's error is what is thrown: the dumped processes must outlive the dump.
   */
  readonly addPages: <T>(prefix: string, directory: string, dump: () => Promise<T>) => Promise<T>;
  /** Adds the sums. Everything is on disk afterwards, still under the temporary name. */
  readonly finish: () => Promise<WrittenArchive>;
  /** Gives the finished archive its name. Nothing to do for a pipe. */
  readonly publish: () => Promise<void>;
  /** Closes, and removes the temp file unless published. Idempotent. */
  readonly discard: () => Promise<void>;
}

/** One member, its name as it stands there. */
export interface MemberEntry {
  readonly kind: 'file' | 'directory' | 'link';
  readonly name: string;
  /** Bytes of content, which the source only claims; undefined where they are known at the end. */
  readonly size: number | undefined;
  /** Where a symbolic link points. */
  readonly target: string;
  /**
   * In place of {@link MemberSource.content}, where it is there: lets a program write all of the content, at most so many bytes,
   * into a file, so that none of it passes through this process, and holds it against its checks. Gives the bytes. Errors: those
   * of the source; NO_SPACE.
   */
  readonly writeInto?: ((file: FileHandle, most: number) => Promise<number>) | undefined;
}

/** Members one after another, in one pass. Nothing of it is trusted. All fail with ARCHIVE_INVALID, or as their source does. */
export interface MemberSource {
  /** The next member; what is left of the content before it is read past. Undefined after the last. */
  readonly next: () => Promise<MemberEntry | undefined>;
  /** The next part of the content, valid until the next call; undefined at its end. */
  readonly content: () => Promise<Buffer | undefined>;
  /** After the last member: nothing more may follow. */
  readonly drain: () => Promise<void>;
  /** The content is held against the checks of its frames (XXH64, CRC-32) by whoever decompresses it. */
  readonly isChecked?: boolean | undefined;
}

/** How far a file of known size was read. */
export interface Stored {
  readonly bytes: number;
  readonly totalBytes: number;
}

export interface UnpackRequest {
  readonly source: ArchiveSource;
  /** Existing, empty, mode 0700: members are written into it under their own names. */
  readonly directory: string;
  /** Which of the known members to write; the others are read past. All are checked against the sums. */
  readonly wants: (name: string) => boolean;
  /** Told of each member that was written, in the archive's order; what it throws ends the reading. */
  readonly onMember?: ((name: string) => Promise<void>) | undefined;
  /** Bytes that the members may take in all. */
  readonly maxBytes: number;
  /** Told the uncompressed bytes read so far, and how far the file was read where the source is one. */
  readonly progress?: ((bytes: number, stored: Stored | undefined) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface UnpackedArchive {
  readonly compression: ArchiveCompression;
  /** Known members in the archive's order, also those that were not wanted. Directories are not listed. */
  readonly members: readonly MemberDigest[];
  /** Names that no known kind of archive has; they were read past. */
  readonly unknown: readonly string[];
  /** The archive held sums and all agreed; false where it held none (podman's). */
  readonly verified: boolean;
}
