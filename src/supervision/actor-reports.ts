/**
 * What is reported of each actor, from what the supervisor holds of it: its thread, its place in the
 * layout, its heartbeat and its counters.
 */
import type { Clock } from '#src/base/clock';
import type { IngestControl, Stoppable } from '#src/runtime/control';
import type { ActorThread } from '#src/supervision/actor-thread';
import type { HeartbeatWatch } from '#src/supervision/heartbeats';
import type { Layout } from '#src/supervision/layout';
import { type ActorStatus, actorStatus } from '#src/supervision/status';
import { Throughput, WORK_OF } from '#src/supervision/throughput';

export type Waiting = ActorStatus['waiting'];

const NOTHING_WAITS: Waiting = { count: 0, unit: 'requests' };

/** Frames an ingest actor has taken that a power cut would still cost. */
export function waitingForDisk(thread: ActorThread<IngestControl> | undefined): Waiting {
  const { counters } = thread ?? {};
  const volatile = (counters?.get('frames') ?? 0) - (counters?.get('durable_frames') ?? 0);
  return { count: Math.max(0, volatile), unit: 'frames' };
}

export class ActorReports {
  readonly #layout: Layout;
  readonly #heartbeats: HeartbeatWatch;
  readonly #clock: Clock;
  readonly #throughput = new Throughput();

  constructor(layout: Layout, heartbeats: HeartbeatWatch, clock: Clock) {
    this.#layout = layout;
    this.#heartbeats = heartbeats;
    this.#clock = clock;
  }

  of(
    id: string,
    thread: ActorThread<Stoppable> | undefined,
    restarts: number,
    waiting = NOTHING_WAITS,
  ): ActorStatus {
    const nowMs = this.#clock.monotonicMs();
    const kind = thread?.counters.kind ?? 'gateway';
    const done = thread?.counters.get(WORK_OF[kind].counter) ?? 0;
    return actorStatus(id, thread, {
      cores: this.#layout.coresOf.get(id) ?? [],
      heartbeatAgeMs: thread === undefined ? 0 : this.#heartbeats.ageMs(thread, nowMs),
      restarts,
      throughput: {
        per_second: this.#throughput.perSecond(id, done, nowMs),
        unit: WORK_OF[kind].unit,
      },
      waiting,
    });
  }
}
