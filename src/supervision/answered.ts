/**
 * Asking an actor that may be busy, stuck or gone: whoever wants to know of all does not wait for one.
 */

/** An actor that does not answer within this time is left out. */
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
