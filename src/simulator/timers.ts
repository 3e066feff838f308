/** Timers as a port: the system's in life, a test's own where time is to be moved by hand. */
export interface Timers {
  /** Runs once after `ms`; the result cancels it. */
  after(ms: number, run: () => void): () => void;
  /** Runs once as soon as pending I/O has been looked at. */
  soon(run: () => void): () => void;
}

export function systemTimers(): Timers {
  return {
    after(ms, run) {
      const timer = setTimeout(run, ms);
      return () => clearTimeout(timer);
    },
    soon(run) {
      const immediate = setImmediate(run);
      return () => clearImmediate(immediate);
    },
  };
}
