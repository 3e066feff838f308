/**
 * The timer port: everything that happens later, and not because of a message, comes from here. A
 * process passes the system's timers; a test or a simulation moves the time itself.
 */
export interface Timer {
  cancel(): void;
}

export interface Timers {
  /** Calls `callback` once, after `delayMs`. Keeps the process alive until then. */
  after(delayMs: number, callback: () => void): Timer;
  /** Calls `callback` once, after the event-loop turn under way has read its sockets. */
  afterTurn(callback: () => void): void;
}

export const systemTimers: Timers = {
  after(delayMs, callback) {
    const timer = setTimeout(callback, delayMs);
    return { cancel: () => clearTimeout(timer) };
  },
  afterTurn: (callback) => void setImmediate(callback),
};

/** Calls `callback` every `periodMs` until cancelled. */
export function every(timers: Timers, periodMs: number, callback: () => void): Timer {
  let timer: Timer;
  let cancelled = false;
  const again = (): void => {
    timer = timers.after(periodMs, () => {
      callback();
      if (!cancelled) again();
    });
  };
  again();
  return {
    cancel: () => {
      cancelled = true;
      timer.cancel();
    },
  };
}

/** Resolves after `delayMs`. */
export function pause(timers: Timers, delayMs: number): Promise<void> {
  return new Promise((resolve) => void timers.after(delayMs, resolve));
}
