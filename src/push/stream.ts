/**
 * Live push as a whole: the hub, its two doors, and the rounds that feed it.
 */
import type { FastifyInstance } from 'fastify';
import type { Instrument } from '#schemas/instrument';
import type { Admission } from '#src/api/admission';
import type { Clock } from '#src/base/clock';
import { every, pause, type Timers } from '#src/base/timers';
import { EventStreams } from '#src/push/event-stream';
import { PushHub } from '#src/push/push-hub';
import { type Bell, makeRounds } from '#src/push/rounds';
import type { StreamSources } from '#src/push/topics';
import { WebSocketDoor } from '#src/push/websocket-door';

/** Milliseconds between two pings. */
const BEAT_MS = 30_000;

export interface StreamOptions {
  readonly instruments: readonly Instrument[];
  readonly sources: StreamSources;
  /** Rung when what the sources read has changed. */
  readonly bell: Bell;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly onFailure: (error: unknown) => void;
}

export interface Stream {
  readonly clients: number;
  /** Adds the stream's doors to a gateway that does not listen yet. */
  attach(app: FastifyInstance, admission: Admission): void;
  /** Settles when the stream has ended; a rejection is a crash. */
  readonly run: Promise<void>;
  /** Ends the rounds, and every connection with a word; who does not part is cut off in a second. */
  end(): void;
}

export function openStream(options: StreamOptions): Stream {
  const { instruments, sources, bell, clock, timers, onFailure } = options;
  let isStopped = false;
  let call: () => void = () => {};
  const hub = new PushHub({ instruments, sources, clock, onWanted: () => call() });
  const sockets = new WebSocketDoor({ hub, clock, timers, onFailure });
  const events = new EventStreams(hub, instruments);
  const beat = every(timers, BEAT_MS, () => {
    sockets.beat();
    events.beat();
  });
  const run = makeRounds({
    bell,
    clock,
    pause: (ms) => pause(timers, ms),
    round: () => hub.round(),
    wanted: async () => {
      if (hub.isWanted || isStopped) return;
      await new Promise<void>((resolve) => {
        call = resolve;
      });
    },
    stopped: () => isStopped,
  });
  return {
    get clients() {
      return hub.clients;
    },
    attach(app, admission) {
      sockets.attach(app.server, admission);
      events.register(app);
    },
    run,
    end() {
      isStopped = true;
      beat.cancel();
      hub.end();
      events.end();
      call();
    },
  };
}
