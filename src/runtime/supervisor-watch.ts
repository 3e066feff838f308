/**
 * Who watches the supervisor: the gateway, to which it gives the newest status several times a
 * second. One that has said nothing for long hangs, and nothing inside can mend that; the process is
 * ended as by kill -9, which is an ordinary event, and its service manager starts it again.
 */

/** Below this nothing is a hang: an orderly end, a slow fsync on the supervisor's own thread. */
const SILENCE_MS_MIN = 20_000;
const HANG_LIMITS = 4;

export class SupervisorWatch {
  readonly #silenceMs: number;
  /** Silence so far, ms; undefined before the first word. */
  #silentMs: number | undefined;
  #lookedMs = 0;

  constructor(hangLimitMs: number) {
    this.#silenceMs = Math.max(SILENCE_MS_MIN, HANG_LIMITS * hangLimitMs);
  }

  heard(): void {
    this.#silentMs = 0;
  }

  /**
   * To be asked every fraction of a second. A long time between two looks counts as a short one: the
   * process or the machine stood still, and the supervisor with it.
   */
  isHung(nowMs: number): boolean {
    const sinceMs = Math.min(nowMs - this.#lookedMs, 1_000);
    this.#lookedMs = nowMs;
    if (this.#silentMs === undefined) return false;
    this.#silentMs += sinceMs;
    return this.#silentMs > this.#silenceMs;
  }
}

export function endHungProcess(): void {
  process.kill(process.pid, 'SIGKILL');
}
