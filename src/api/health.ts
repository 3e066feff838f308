/**
 * Health: is the process alive, and is it fit to serve current data? Two questions, because a
 * process that is restarting a stage must not be killed for it (live), nor be trusted (not ready).
 */
import { type Static, type TSchema, Type } from '@sinclair/typebox';
import { EXCHANGES } from '#schemas/exchange';

function orNull<T extends TSchema>(schema: T) {
  return Type.Union([schema, Type.Null()]);
}

const exchangeStatus = Type.Object({
  exchange: Type.Union(EXCHANGES.map((name) => Type.Literal(name))),
  state: Type.Union(
    (['connecting', 'connected', 'waiting', 'disk_full', 'stopped'] as const).map((s) =>
      Type.Literal(s),
    ),
    { description: 'waiting: until the next attempt; disk_full: until there is room' },
  ),
  connections: Type.Integer({ description: 'Open connections; two while one replaces another.' }),
  last_frame_age_ms: orNull(
    Type.Integer({ description: 'Since the newest frame; null before any.' }),
  ),
  lag_frames: Type.Integer({ description: 'Frames in the log that validation has not read yet.' }),
  lag_ms: Type.Integer({ description: 'Age of the oldest of those; 0 without any.' }),
});

const actorStatus = Type.Object({
  actor: Type.String(),
  state: Type.Union(
    (['starting', 'running', 'restarting', 'stopped'] as const).map((s) => Type.Literal(s)),
  ),
  cores: Type.Array(Type.Integer(), { description: 'The cores its thread is pinned to.' }),
  heartbeat_age_ms: Type.Integer({ description: 'Since its last sign of life.' }),
  restarts: Type.Integer({ description: 'Since the process started.' }),
  throughput: Type.Object(
    { per_second: Type.Integer(), unit: Type.String() },
    { description: 'Over the last two seconds.' },
  ),
  waiting: Type.Object(
    { count: Type.Integer(), unit: Type.String() },
    { description: 'Work that lies in front of it: its lag.' },
  ),
  counters: Type.Record(Type.String(), Type.Integer(), {
    description: 'Since the actor started; names as in src/runtime/counters.ts.',
  }),
});

const lastEpoch = Type.Object({
  number: Type.Integer(),
  committed_at: Type.String({ description: 'ISO 8601, UTC.' }),
  age_ms: Type.Integer(),
});

const systemStatus = {
  exchanges: Type.Array(exchangeStatus, { description: 'The enabled ones.' }),
  actors: Type.Array(actorStatus),
  last_epoch: orNull(lastEpoch),
  problems: Type.Array(Type.String(), {
    description:
      'What maintenance found wrong with what is stored, a sentence each; it stays fit to serve the rest.',
  }),
};

const SYSTEM_STATUS = Type.Object(systemStatus);

/** The facts, as whoever wires the process knows them. */
export type SystemStatus = Static<typeof SYSTEM_STATUS>;

export interface StatusSource {
  status(): SystemStatus;
}

export const HEALTH = Type.Object({
  live: Type.Boolean({ description: 'The process answers. Restart it only when this fails.' }),
  ready: Type.Boolean({ description: 'Every actor runs and every exchange is connected.' }),
  reasons: Type.Array(Type.String(), { description: 'Why it is not ready, a sentence each.' }),
  ...systemStatus,
});

export type Health = Static<typeof HEALTH>;

/** What the facts mean. */
export function health(status: SystemStatus): Health {
  const reasons = [
    ...status.actors
      .filter((a) => a.state !== 'running')
      .map((a) => `The actor ${a.actor} is ${a.state}.`),
    ...status.exchanges
      .filter((e) => e.state !== 'connected')
      .map((e) => `${e.exchange} is not connected: ${e.state.replace('_', ' ')}.`),
  ];
  return { live: true, ready: reasons.length === 0, reasons, ...status };
}
