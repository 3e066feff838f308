/** Waiting, never for ever, for an actor's answer. */
import type { Timer, Timers } from '#src/base/timers';

/** An actor that does not answer within this time goes without being heard. */
const ANSWER_MS_MAX = 1_000;

/** An actor's answer; undefined when it has ended, or is too busy or too stuck to give one. */
export async function answered<T>(
  timers: Timers,
  call: Promise<T> | undefined,
): Promise<T | undefined> {
  let timer: Timer | undefined;
  const late = new Promise<undefined>((resolve) => {
    timer = timers.after(ANSWER_MS_MAX, () => resolve(undefined));
  });
  return Promise.race([call, late])
    .catch(() => undefined)
    .finally(() => timer?.cancel());
}
