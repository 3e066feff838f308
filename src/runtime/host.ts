/**
 * The loop that runs an actor on its thread: step while there is work, rest on the doorbell when
 * there is none. Between steps the event loop runs, so control calls, timers and answers from the
 * lake pool come through even under full load.
 */
import { setImmediate as eventLoopTurn } from 'node:timers/promises';
import type { Doorbell } from '#src/ring/doorbell';
import type { Actor } from '#src/runtime/actor';
import type { ActorCounters } from '#src/runtime/counters';

/** An idle actor beats at least this often; the supervisor's hang limit is many times longer. */
const REST_MS_MAX = 250;

/** Runs `actor` until `stopped` says so. A throw ends the loop: the thread dies and is supervised. */
export async function runActor(
  actor: Actor,
  doorbell: Doorbell,
  counters: ActorCounters,
  stopped: () => boolean,
): Promise<void> {
  while (!stopped()) {
    const seen = doorbell.count;
    const work = actor.step();
    counters.beat();
    if (work > 0) await eventLoopTurn();
    else await doorbell.rest(seen, REST_MS_MAX);
  }
}
