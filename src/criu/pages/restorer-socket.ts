import { closeSync } from 'node:fs';
import { fail } from '../../model/errors.ts';
import { acceptOne, receiveBytes } from '../../system/descriptor-passing.ts';

/** A process whose memory is to be provided. */
export interface Announced {
  /** Its PID as the images know it. */
  readonly process: number;
  /** Of userfaultfd(2). */
  readonly descriptor: number;
}

/** CRIU's restore at the socket of its server of lazy pages. */
export interface RestorerSocket {
  /** What to wait for; none once the restore is over. */
  readonly descriptors: () => readonly number[];
  /**
   * Takes the next of what is there: a process that is announced by it, if any. Fails with RESTORE_FAILED where the restore has
   * failed, or is not understood.
   */
  readonly hear: () => Promise<Announced | undefined>;
  /** Every process has been announced, and all of them run. */
  readonly isOver: () => boolean;
  readonly close: () => void;
}

/** CRIU criu/uffd.c LAZY_PAGES_RESTORE_FINISHED; larger than any PID. */
const FINISHED = 0x52535446;
const WORD_BYTES = 4;

/**
 * CRIU criu/uffd.c: for each process its PID (int), then one byte with its descriptor; the negative PID of a zombie, which has no
 * memory; at the end a word of its own.
 */
export function openRestorerSocket(listener: number): RestorerSocket {
  let socket = listener;
  let hearNext: RestorerSocket['hear'] = accept;
  let isOver = false;

  async function accept(): Promise<undefined> {
    const connection = await acceptOne(listener);
    closeSync(listener);
    socket = connection;
    hearNext = hearProcess;
  }
  async function hearProcess(): Promise<undefined> {
    const { bytes } = await receiveBytes(socket, WORD_BYTES);
    // CRIU sends a word at once, and the kernel keeps it together.
    if (bytes.length !== WORD_BYTES) failRestore('the restore ended before its processes ran');
    const word = bytes.readInt32LE(0);
    isOver = word === FINISHED;
    if (!isOver && word > 0) hearNext = () => hearDescriptor(word);
  }
  async function hearDescriptor(process: number): Promise<Announced> {
    const { descriptor } = await receiveBytes(socket, 1);
    if (descriptor === undefined) return failRestore(`process ${process} was announced without its memory`);
    hearNext = hearProcess;
    return { process, descriptor };
  }
  return {
    descriptors: () => (isOver ? [] : [socket]),
    hear: () => hearNext(),
    isOver: () => isOver,
    close: () => closeSync(socket),
  };
}

const failRestore = (message: string): never => fail('RESTORE_FAILED', { message });
