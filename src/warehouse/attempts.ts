/**
 * Trying again where a server on the network is asked: an outage shorter than `outageMs` costs time and
 * nothing else. Whatever is tried again must be harmless when an earlier attempt went through after
 * all; who asks sees to that.
 */
import type { Clock } from '#src/base/clock';

export interface Patience {
  readonly clock: Pick<Clock, 'monotonicMs'>;
  readonly pause: (ms: number) => Promise<void>;
  /** Of one attempt. */
  readonly timeoutMs: number;
  /** From the first attempt on. */
  readonly outageMs: number;
}

const FIRST_PAUSE_MS = 100;
const PAUSE_MS_MAX = 10_000;

/**
 * `ask` until it answers or throws something that `isTransient` does not take for passing. Between attempts `look` may find
 * that an earlier one has gone through: its answer ends the matter.
 */
export async function patiently<T>(
  { clock, pause, timeoutMs, outageMs }: Patience,
  ask: (signal: AbortSignal) => Promise<T>,
  isTransient: (error: unknown) => boolean,
  look: () => Promise<T | undefined> = async () => undefined,
): Promise<T> {
  const startMs = clock.monotonicMs();
  for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(2 * pauseMs, PAUSE_MS_MAX)) {
    try {
      return await within(timeoutMs, ask);
    } catch (error) {
      if (!isTransient(error)) throw error;
      if (clock.monotonicMs() - startMs + pauseMs > outageMs) throw error;
    }
    await pause(pauseMs);
    const found = await look();
    if (found !== undefined) return found;
  }
}

/** An attempt took longer than it may; whether it was carried out is not known. */
export class AttemptTimeout extends Error {}

/** Also where the attempt does not heed the signal, as when a body stops arriving. */
async function within<T>(ms: number, ask: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const signal = AbortSignal.timeout(ms);
  const answer = ask(signal);
  answer.catch(() => {}); // one that fails after its time is nobody's
  return Promise.race([
    answer,
    new Promise<never>((_, reject) => {
      signal.addEventListener('abort', () => reject(new AttemptTimeout(`no answer in ${ms} ms`)));
    }),
  ]);
}
