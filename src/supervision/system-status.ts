/**
 * What the supervisor knows of the process, for /health: every exchange, every actor, the last epoch.
 *
 * It asks actors, and an actor that is stuck or busy is left out of the answer rather than waited
 * for: whoever looks at a sick process must see something.
 */
import type { Exchange } from '#schemas/exchange';
import type { SystemStatus } from '#src/api/health';
import type { Clock } from '#src/base/clock';
import { LogHead } from '#src/log/log-head';
import type { GatewayControl, IngestControl, IngestStatus, Stoppable } from '#src/runtime/control';
import type { StateStore } from '#src/state/store';
import type { ActorThread } from '#src/supervision/actor-thread';
import type { Child } from '#src/supervision/child';
import type { HeartbeatWatch } from '#src/supervision/heartbeats';
import type { Layout } from '#src/supervision/layout';
import type { GroupProgress, ProcessingGroup } from '#src/supervision/processing-group';

/** An actor that does not answer within this time is left out. */
const ANSWER_MS_MAX = 1_000;

export interface StatusSources {
  readonly clock: Clock;
  readonly store: StateStore;
  readonly exchanges: readonly Exchange[];
  /** In the order of the exchanges. */
  readonly ingest: readonly Child<IngestControl>[];
  readonly heads: ReadonlyMap<Exchange, SharedArrayBuffer>;
  readonly group: ProcessingGroup | undefined;
  readonly groupRestarts: number;
  readonly gateway: Child<GatewayControl>;
  readonly layout: Layout;
  readonly heartbeats: HeartbeatWatch;
}

export async function systemStatus(sources: StatusSources): Promise<SystemStatus> {
  const { clock, store, ingest, group, groupRestarts, gateway } = sources;
  const nowUs = clock.nowUs();
  const { epoch, committedUs } = store.epoch();
  const judged = await answered(group?.progress());
  const exchanges = await Promise.all(
    sources.exchanges.map((exchange, i) =>
      exchangeStatus(sources, exchange, ingest[i] as Child<IngestControl>, judged, nowUs),
    ),
  );
  const actors = [
    ...ingest.map((child) => actorStatus(sources, child.id, child.thread, child.restarts)),
    ...(group?.members ?? []).map((member) =>
      actorStatus(sources, member.id, member, groupRestarts),
    ),
    actorStatus(sources, 'gateway', gateway.thread, gateway.restarts),
  ];
  const last_epoch =
    epoch === 0
      ? null
      : {
          number: epoch,
          committed_at: new Date(committedUs / 1000).toISOString(),
          age_ms: Math.max(0, Math.round((nowUs - committedUs) / 1000)),
        };
  return { exchanges, actors, last_epoch };
}

async function exchangeStatus(
  { heads }: StatusSources,
  exchange: Exchange,
  { thread }: Child<IngestControl>,
  judged: GroupProgress | undefined,
  nowUs: number,
): Promise<SystemStatus['exchanges'][number]> {
  const ingest = await answered(thread?.answer((control) => control.status()));
  const lanes = ingest?.connections ?? [];
  const live = lanes.filter(({ state }) => state === 'live' || state === 'rotating').length;
  const ages = lanes.map(({ lastFrameAgeMs }) => lastFrameAgeMs).filter((age) => age >= 0);
  const head = new LogHead(heads.get(exchange) as SharedArrayBuffer, 0);
  head.refresh();
  const position = judged?.positions.get(exchange);
  const lagFrames = Math.max(0, head.nextSequence - (position?.nextSequence ?? 0));
  const lagUs = lagFrames === 0 ? 0 : nowUs - (position?.watermarkUs ?? nowUs);
  return {
    exchange,
    state: stateOf(ingest, live),
    connections: live,
    last_frame_age_ms: ages.length === 0 ? null : Math.round(Math.min(...ages)),
    lag_frames: lagFrames,
    lag_ms: Math.max(0, Math.round(lagUs / 1000)),
  };
}

function actorStatus(
  { clock, layout, heartbeats }: StatusSources,
  actor: string,
  thread: ActorThread<Stoppable> | undefined,
  restarts: number,
): SystemStatus['actors'][number] {
  const ageMs = thread === undefined ? 0 : heartbeats.ageMs(thread, clock.monotonicMs());
  return {
    actor,
    state: thread === undefined ? 'stopped' : stateOfThread(thread),
    cores: [...(layout.coresOf.get(actor) ?? [])],
    heartbeat_age_ms: Math.round(ageMs),
    restarts,
    counters: thread?.counters.all() ?? {},
  };
}

/** A thread that ended is about to be replaced: the supervisor keeps every actor up. */
function stateOfThread({ state }: ActorThread<Stoppable>): 'starting' | 'running' | 'restarting' {
  return state === 'stopped' ? 'restarting' : state;
}

/** `waiting` until the next attempt, unless the actor itself is down or has stopped taking frames. */
function stateOf(
  ingest: IngestStatus | undefined,
  live: number,
): SystemStatus['exchanges'][number]['state'] {
  if (live > 0) return 'connected';
  if (ingest === undefined) return 'connecting';
  if (ingest.state === 'running') {
    const waits = ingest.connections.some(({ state }) => state === 'backing_off');
    return waits ? 'waiting' : 'connecting';
  }
  return ingest.state === 'idle' ? 'connecting' : 'stopped';
}

/** An actor's answer; undefined when it has ended, or is too busy or too stuck to give one. */
async function answered<T>(call: Promise<T> | undefined): Promise<T | undefined> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => resolve(undefined), ANSWER_MS_MAX);
  });
  return Promise.race([call, late])
    .catch(() => undefined)
    .finally(() => clearTimeout(timer));
}
