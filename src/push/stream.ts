/**
 * Live push as a whole: the hub, its two doors, and the rounds that feed it.
 */
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import type { FastifyInstance } from 'fastify';
import type { Instrument } from '#schemas/instrument';
import type { Clock } from '#src/base/clock';
import { EventStreams } from '#src/push/event-stream';
import { PushHub } from '#src/push/push-hub';
import { type Bell, makeRounds } from '#src/push/rounds';
import type { StreamSources } from '#src/push/topics';
import { WebSocketDoor } from '#src/push/websocket-door';

/** Milliseconds between two pings. */
const BEAT_MS = 30_000;

export interface StreamTimers {
  after(ms: number, then: () => void): void;
  /** Answers how to end it. */
  every(ms: number, then: () => void): () => void;
}

export interface StreamOptions {
  readonly instruments: readonly Instrument[];
  readonly sources: StreamSources;
  /** Rung when what the sources read has changed. */
  readonly bell: Bell;
  readonly clock: Clock;
  readonly timers: StreamTimers;
  /** Whether an upgrade may go on; one that may not has been answered. */
  readonly admit: (request: IncomingMessage, socket: Duplex) => Promise<boolean>;
  readonly refusePath: (socket: Duplex) => void;
  readonly onFailure: (error: unknown) => void;
}

export interface Stream {
  readonly clients: number;
  /** Settles when the stream has ended; a rejection is a crash. */
  readonly run: Promise<void>;
  /** Ends every connection and the rounds. */
  end(): void;
}

/** Adds the stream to a gateway that does not listen yet. */
export function attachStream(app: FastifyInstance, options: StreamOptions): Stream {
  const { instruments, sources, bell, clock, timers, admit, refusePath, onFailure } = options;
  let isStopped = false;
  let call: () => void = () => {};
  const hub = new PushHub({ instruments, sources, clock, onWanted: () => call() });
  const sockets = new WebSocketDoor({
    hub,
    clock,
    admit,
    refusePath,
    after: timers.after,
    onFailure,
  });
  const events = new EventStreams(hub, instruments);
  sockets.attach(app.server);
  events.register(app);
  const stopBeat = timers.every(BEAT_MS, () => {
    sockets.beat();
    events.beat();
  });
  const run = makeRounds({
    bell,
    clock,
    pause: (ms) => new Promise((resolve) => timers.after(ms, resolve)),
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
    run,
    end() {
      isStopped = true;
      stopBeat();
      hub.end();
      sockets.end();
      events.end();
      call();
    },
  };
}
