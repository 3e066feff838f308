/**
 * Finds hung actors: an actor whose heartbeat word stands still is stuck in a loop or a blocking
 * call, because even an idle one beats four times a second. Reading a word asks nobody.
 *
 * Time in which the watch itself did not look does not count: a process that was suspended, or a
 * machine that slept, held the actors up as well.
 */
/** Looks are 250 ms apart; a longer pause counts as this much. */
const LOOK_APART_MS_MAX = 1_000;

export interface Watched {
  readonly id: string;
  readonly counters: { readonly heartbeat: number };
}

export class HeartbeatWatch {
  readonly #hangLimitMs: number;
  readonly #seen = new Map<Watched, { heartbeat: number; sinceMs: number }>();
  #lookedMs = Number.POSITIVE_INFINITY;

  constructor(hangLimitMs: number) {
    this.#hangLimitMs = hangLimitMs;
  }

  /** How long an actor's heartbeat has stood still at `nowMs`; 0 before the first look. */
  ageMs(actor: Watched, nowMs: number): number {
    const seen = this.#seen.get(actor);
    return seen === undefined ? 0 : nowMs - seen.sinceMs;
  }

  /** Compares with the last look; answers the actors that have stood still beyond the limit. */
  look(actors: readonly Watched[], nowMs: number): Watched[] {
    const hung: Watched[] = [];
    const unwatchedMs = Math.max(0, nowMs - this.#lookedMs - LOOK_APART_MS_MAX);
    this.#lookedMs = nowMs;
    for (const actor of actors) {
      const { heartbeat } = actor.counters;
      const seen = this.#seen.get(actor);
      if (seen === undefined || seen.heartbeat !== heartbeat) {
        this.#seen.set(actor, { heartbeat, sinceMs: nowMs });
        continue;
      }
      seen.sinceMs += unwatchedMs;
      if (nowMs - seen.sinceMs > this.#hangLimitMs) hung.push(actor);
    }
    for (const actor of this.#seen.keys()) if (!actors.includes(actor)) this.#seen.delete(actor);
    return hung;
  }
}
