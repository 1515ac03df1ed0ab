import { isCryopodError } from '../../model/errors.ts';

/** Why something will not do, in the words of the error that the operation itself would fail with. */
export interface Problem {
  readonly message: string;
  readonly hint?: string | undefined;
}

/** Does the look that an operation does first; its refusal becomes a problem, any other error is thrown. */
export async function problemOf(work: () => unknown): Promise<Problem | undefined> {
  try {
    await work();
    return undefined;
  } catch (error) {
    if (!isCryopodError(error) || error.code === 'INTERNAL') throw error;
    return { message: error.message, hint: error.hint };
  }
}

/** The problems of several things, each looked at by itself. */
export async function problemsOf<T>(items: readonly T[], look: (item: T) => unknown): Promise<Problem[]> {
  const problems: Problem[] = [];
  for (const item of items) {
    const problem = await problemOf(() => look(item));
    if (problem !== undefined) problems.push(problem);
  }
  return problems;
}
