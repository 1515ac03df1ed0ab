import { CryopodError, type ErrorCode, errnoOf, isCryopodError, messageOf } from '../model/errors.ts';

/**
 * Waits for `work`; a failure of the system in it, which is no defect of cryopod, becomes an error with a code: NO_SPACE, or
 * `code`. `doing` completes "could not …".
 */
export async function codedFailure<T>(work: Promise<T>, code: ErrorCode, doing: string): Promise<T> {
  try {
    return await work;
  } catch (error) {
    const errno = errnoOf(error);
    if (isCryopodError(error) || errno === undefined) throw error;
    const isFull = errno === 'ENOSPC' || errno === 'EDQUOT';
    throw new CryopodError(isFull ? 'NO_SPACE' : code, {
      message: `could not ${doing}: ${messageOf(error)}`,
      cause: error,
    });
  }
}
