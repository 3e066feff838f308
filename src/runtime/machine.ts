/**
 * What a thread reaches of the machine it runs on, beside the memory it was given: nothing in actors/
 * reaches past this. actors/thread.ts passes the real one; a simulation runs every actor on one
 * thread over a machine that fails on request.
 */
import type { Clock } from '#src/base/clock';
import type { Disk } from '#src/base/disk';
import type { Databases } from '#src/base/key-value';
import type { Timers } from '#src/base/timers';
import type { HttpGet, WebSocketConnector } from '#src/feed/ports';
import type { Doorbell } from '#src/ring/doorbell';
import type { Actor } from '#src/runtime/actor';
import type { ActorCounters } from '#src/runtime/counters';

export interface Machine {
  readonly clock: Clock;
  readonly timers: Timers;
  readonly disk: Disk;
  readonly databases: Databases;
  readonly sockets: WebSocketConnector;
  readonly httpGet: HttpGet;
  /** Steps an actor until `stopped` says so; it may rest while its doorbell is silent. */
  run(
    actor: Actor,
    doorbell: Doorbell,
    counters: ActorCounters,
    stopped: () => boolean,
  ): Promise<void>;
}
