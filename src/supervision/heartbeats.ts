/**
 * Finds hung actors: an actor whose heartbeat word stands still is stuck in a loop or a blocking
 * call, because even an idle one beats four times a second. Reading a word asks nobody.
 */
export interface Watched {
  readonly id: string;
  readonly counters: { readonly heartbeat: number };
}

export class HeartbeatWatch {
  readonly #hangLimitMs: number;
  readonly #seen = new Map<Watched, { heartbeat: number; sinceMs: number; stillMs: number }>();
  #lookedMs = 0;

  constructor(hangLimitMs: number) {
    this.#hangLimitMs = hangLimitMs;
  }

  /** How long an actor's heartbeat has stood still at `nowMs`; 0 before the first look. */
  ageMs(actor: Watched, nowMs: number): number {
    const seen = this.#seen.get(actor);
    return seen === undefined ? 0 : nowMs - seen.sinceMs;
  }

  /**
   * Compares with the last look; answers the actors that have stood still beyond the limit. One look
   * alone never finds an actor hung: after a stop of the whole process (SIGSTOP, a machine asleep)
   * all of them seem to have stood still, and the next look sees them go on.
   */
  look(actors: readonly Watched[], nowMs: number): Watched[] {
    const hung: Watched[] = [];
    const stepMs = Math.min(nowMs - this.#lookedMs, this.#hangLimitMs);
    this.#lookedMs = nowMs;
    for (const actor of actors) {
      const { heartbeat } = actor.counters;
      const seen = this.#seen.get(actor);
      if (seen === undefined || seen.heartbeat !== heartbeat) {
        this.#seen.set(actor, { heartbeat, sinceMs: nowMs, stillMs: 0 });
      } else {
        seen.stillMs += stepMs;
        if (seen.stillMs > this.#hangLimitMs) hung.push(actor);
      }
    }
    for (const actor of this.#seen.keys()) if (!actors.includes(actor)) this.#seen.delete(actor);
    return hung;
  }
}
