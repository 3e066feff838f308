/**
 * The only clock. Nothing after bronze reads it: validation, gold and candles know time from the
 * frames alone. A test or a simulation passes its own.
 */
export interface Clock {
  /** Wall time in whole microseconds since the Unix epoch, never below an earlier answer. */
  nowUs(): number;
  /** Milliseconds from an arbitrary start; never jumps. For timers, timeouts and durations. */
  monotonicMs(): number;
}

/**
 * The machine's clock. Wall time is read once per call and held when the system clock steps back,
 * so receive times of one process never decrease.
 */
export function systemClock(): Clock {
  let lastUs = 0;
  return {
    nowUs() {
      // performance.timeOrigin + now() has microsecond digits; Date.now() tells of clock steps.
      const fineUs = Math.floor((performance.timeOrigin + performance.now()) * 1000);
      const coarseUs = Date.now() * 1000;
      // Over 50 ms apart the wall clock was stepped after start: follow it, in milliseconds.
      const nowUs = Math.abs(fineUs - coarseUs) > 50_000 ? coarseUs : fineUs;
      if (nowUs > lastUs) lastUs = nowUs;
      return lastUs;
    },
    monotonicMs: () => performance.now(),
  };
}
