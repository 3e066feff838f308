/**
 * What /health is told: facts gathered from counters, heads, the state and the actors' own answers,
 * put into the API's words. Pure.
 */
import type { Exchange } from '#schemas/exchange';
import type { SystemStatus } from '#src/api/health';
import type { IngestStatus, Stoppable } from '#src/runtime/control';
import type { ExchangeProgress } from '#src/runtime/epoch-report';
import type { EpochRecord } from '#src/state/epoch-record';
import type { ActorThread } from '#src/supervision/actor-thread';

export type ExchangeStatus = SystemStatus['exchanges'][number];
export type ActorStatus = SystemStatus['actors'][number];

/**
 * `ingest` is undefined while the actor does not answer, `judged` before validation has told how
 * far it is. `nextSequence` is the end of the exchange's log.
 */
export function exchangeStatus(
  exchange: Exchange,
  ingest: IngestStatus | undefined,
  nextSequence: number,
  judged: ExchangeProgress | undefined,
  nowUs: number,
): ExchangeStatus {
  const connections = ingest?.connections ?? [];
  const live = connections.filter(({ state }) => state === 'live' || state === 'rotating').length;
  const ages = connections.map(({ lastFrameAgeMs }) => lastFrameAgeMs).filter((age) => age >= 0);
  const lagFrames = Math.max(0, nextSequence - (judged?.nextSequence ?? 0));
  const lagUs = lagFrames === 0 ? 0 : nowUs - (judged?.watermarkUs ?? nowUs);
  return {
    exchange,
    state: connectionState(ingest, live),
    connections: live,
    last_frame_age_ms: ages.length === 0 ? null : Math.round(Math.min(...ages)),
    lag_frames: lagFrames,
    lag_ms: Math.max(0, Math.round(lagUs / 1000)),
  };
}

/** `waiting` until the next attempt, unless the actor itself is down or has stopped taking frames. */
function connectionState(ingest: IngestStatus | undefined, live: number): ExchangeStatus['state'] {
  if (live > 0) return 'connected';
  if (ingest === undefined) return 'connecting';
  if (ingest.state === 'disk_full') return 'disk_full';
  if (ingest.state === 'running') {
    const waits = ingest.connections.some(({ state }) => state === 'backing_off');
    return waits ? 'waiting' : 'connecting';
  }
  return ingest.state === 'idle' ? 'connecting' : 'stopped';
}

export interface ActorFacts {
  readonly cores: readonly number[];
  readonly heartbeatAgeMs: number;
  readonly restarts: number;
  readonly throughput: ActorStatus['throughput'];
  readonly waiting: ActorStatus['waiting'];
}

export function actorStatus(
  actor: string,
  thread: ActorThread<Stoppable> | undefined,
  facts: ActorFacts,
): ActorStatus {
  const { cores, heartbeatAgeMs, restarts, throughput, waiting } = facts;
  return {
    actor,
    // The supervisor keeps every actor up: a thread that ended is about to be replaced.
    state: thread?.state === 'stopped' ? 'restarting' : (thread?.state ?? 'stopped'),
    cores: [...cores],
    heartbeat_age_ms: Math.round(heartbeatAgeMs),
    restarts,
    throughput,
    waiting,
    counters: thread?.counters.all() ?? {},
  };
}

export function epochStatus(record: EpochRecord, nowUs: number): SystemStatus['last_epoch'] {
  if (record.epoch === 0) return null;
  return {
    number: record.epoch,
    committed_at: new Date(record.committedUs / 1000).toISOString(),
    age_ms: Math.max(0, Math.round((nowUs - record.committedUs) / 1000)),
  };
}
