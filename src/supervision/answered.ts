/** Waiting, never for ever: for an actor's answer, or for some time. */

/** An actor that does not answer within this time goes without being heard. */
const ANSWER_MS_MAX = 1_000;

/** An actor's answer; undefined when it has ended, or is too busy or too stuck to give one. */
export async function answered<T>(call: Promise<T> | undefined): Promise<T | undefined> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => resolve(undefined), ANSWER_MS_MAX);
  });
  return Promise.race([call, late])
    .catch(() => undefined)
    .finally(() => clearTimeout(timer));
}

export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
