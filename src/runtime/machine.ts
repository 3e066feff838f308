/**
 * What a thread reaches of the machine it runs on, beside the memory it was given: nothing in actors/
 * reaches past this. actors/thread.ts passes the real one; a simulation runs every actor on one
 * thread over a machine that fails on request. A role is given what it needs and no more, because a
 * thread pays for what it loads: 40 ms of processor time for sockets, 25 for LMDB.
 */
import type { Clock } from '#src/base/clock';
import type { Disk } from '#src/base/disk';
import type { Databases } from '#src/base/key-value';
import type { Timers } from '#src/base/timers';
import type { Network } from '#src/feed/ports';
import type { Doorbell } from '#src/ring/doorbell';
import type { Actor } from '#src/runtime/actor';
import type { ActorCounters } from '#src/runtime/counters';

export interface Machine {
  readonly clock: Clock;
  readonly timers: Timers;
  readonly disk: Disk;
  /** Steps an actor until `stopped` says so; it may rest while its doorbell is silent. */
  run(
    actor: Actor,
    doorbell: Doorbell,
    counters: ActorCounters,
    stopped: () => boolean,
  ): Promise<void>;
}

/** For those who read the state while they run; the others are told of it when they start. */
export interface MachineWithState extends Machine {
  readonly databases: Databases;
}

/** For ingest. */
export interface MachineWithNetwork extends Machine {
  readonly network: Network;
}
