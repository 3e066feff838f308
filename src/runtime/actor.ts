/**
 * What a processing stage is to its host: something that does a bounded piece of work when asked.
 *
 * `step` never blocks and never waits: it answers how much it did, 0 meaning that it is idle or has
 * no room (a full ring, no free slot). Who calls it, how often and on which thread is the host's
 * business, so the same stage runs in a worker, in a test, or beside all others in a simulation.
 */
export interface Actor {
  step(): number;
}
