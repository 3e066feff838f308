/**
 * What a lake worker answers. An error that crosses threads loses its class and its exit code, so
 * one that a person can cause travels as data and becomes a UserError again on the other side.
 * Every other error is a bug and crosses as it is.
 */
import { type ExitCode, UserError } from '#src/base/errors';
import type { StagedFile } from '#src/lake/staged-file';

export type LakeAnswer =
  | { readonly files: StagedFile[] }
  | { readonly exitCode: ExitCode; readonly message: string };

export function answerOf(run: () => StagedFile[]): LakeAnswer {
  try {
    return { files: run() };
  } catch (error) {
    return failedWith(error);
  }
}

/** The same once its files are where they belong. */
export async function deliveredAnswer(
  answer: LakeAnswer,
  deliver: (paths: readonly string[]) => Promise<void>,
): Promise<LakeAnswer> {
  if (!('files' in answer)) return answer;
  try {
    await deliver(answer.files.map(({ path }) => path));
    return answer;
  } catch (error) {
    return failedWith(error);
  }
}

function failedWith(error: unknown): LakeAnswer {
  if (!(error instanceof UserError)) throw error;
  return { exitCode: error.exitCode, message: error.message };
}

export function filesOf(answer: LakeAnswer): StagedFile[] {
  if ('files' in answer) return answer.files;
  throw new UserError(answer.exitCode, answer.message);
}
