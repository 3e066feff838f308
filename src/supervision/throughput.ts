/**
 * How much each actor does in a second: the growth of its main counter over the last two seconds or so.
 */
import type { ActorKind, CounterName } from '#src/runtime/counters';

/** The counter that says how much an actor has done, and what it counts. */
export const WORK_OF = {
  ingest: { counter: 'frames', unit: 'frames' },
  validation: { counter: 'frames', unit: 'frames' },
  gold: { counter: 'trades', unit: 'trades' },
  candles: { counter: 'rows', unit: 'trades' },
  gateway: { counter: 'requests', unit: 'requests' },
} as const satisfies { [K in ActorKind]: { counter: CounterName<K>; unit: string } };

/** Milliseconds a figure goes back. */
const SPAN_MS = 2_000;

interface Sample {
  readonly atMs: number;
  readonly count: number;
}

export class Throughput {
  readonly #samples = new Map<string, Sample[]>();

  /** Notes an actor's count and answers how much it grew in a second; 0 until there are two. */
  perSecond(actor: string, count: number, nowMs: number): number {
    const samples = this.#samples.get(actor) ?? [];
    const last = samples.at(-1);
    // A new generation counts from zero again.
    if (last !== undefined && count < last.count) samples.length = 0;
    if (last === undefined || nowMs > last.atMs) samples.push({ atMs: nowMs, count });
    while ((samples[1]?.atMs ?? nowMs) <= nowMs - SPAN_MS) samples.shift();
    this.#samples.set(actor, samples);
    const first = samples[0];
    if (first === undefined || nowMs === first.atMs) return 0;
    return Math.round(((count - first.count) * 1_000) / (nowMs - first.atMs));
  }
}
