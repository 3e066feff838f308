/**
 * Ingest of one exchange on its thread: opens the exchange's bronze log and its sockets and runs.
 * The event loop does the work; this file wires the ports, beats the heart and tells the counters.
 */

import { join } from 'node:path';
import type { Remote } from 'comlink';
import { Random } from '#src/base/random';
import { every } from '#src/base/timers';
import type { Config } from '#src/config/schema';
import type { FeedOptions } from '#src/feed/options';
import { LogHead } from '#src/log/log-head';
import { LogWriter } from '#src/log/log-writer';
import type { IngestControl, StartedActor } from '#src/runtime/control';
import { ActorCounters } from '#src/runtime/counters';
import { validationDoorbell } from '#src/runtime/group-memory';
import type { MachineWithNetwork } from '#src/runtime/machine';
import type { SupervisorLine } from '#src/runtime/supervisor-line';
import type { IngestSpec } from '#src/runtime/thread-spec';
import { RECENT_GAP_US, resumePoint } from '#src/trades/gaps';
import { IntervalSet } from '#src/trades/interval-set';
import { IngestActor } from './ingest.js';

const HEARTBEAT_MS = 250;

export async function start(
  spec: IngestSpec,
  line: Remote<SupervisorLine>,
  machine: MachineWithNetwork,
): Promise<StartedActor<IngestControl>> {
  const { exchange, key, config, paths, instruments, durableNextSequence } = spec;
  const resume: Record<string, { tradeId: number; timeUs: number }> = {};
  for (const instrument of instruments) {
    const packed = spec.intervals.get(instrument.code);
    if (packed === undefined) continue;
    const set = IntervalSet.unpack(packed);
    if (set.intervalCount === 0) continue;
    resume[instrument.nativeSymbol] = resumePoint(set, RECENT_GAP_US);
  }

  const log = LogWriter.open({
    disk: machine.disk,
    dir: join(paths.bronze, key),
    exchange,
    head: new LogHead(spec.head, 0),
    segmentBytesMax: config.bronze.segment_mb * 1024 * 1024,
    segmentAgeUsMax: config.bronze.segment_minutes * 60_000_000,
    durableNextSequence,
  });
  const random = new Random(spec.seed);
  const doorbell = validationDoorbell(spec.doorbells, spec.validationShard);
  let crash: (error: Error) => void = () => {};
  let end: () => void = () => {};
  const run = new Promise<void>((resolve, reject) => {
    end = resolve;
    crash = reject;
  });
  const actor = new IngestActor({
    exchange,
    options: { ...feedOptions(config, key), resume },
    instruments,
    log,
    ports: {
      clock: machine.clock,
      timers: machine.timers,
      ...machine.network,
      random: () => random.unit(),
      onAppended: () => doorbell.ring(),
      onEvent: ({ level, event, text }) => void line.log(level, text, { event }),
      onFailure: crash,
    },
  });

  const counters = new ActorCounters('ingest', spec.board, spec.boardRow);
  const heartbeat = every(machine.timers, HEARTBEAT_MS, () => {
    counters.beat();
    counters.set('frames', actor.counters.frames);
    counters.set('bytes', actor.counters.bytes);
    counters.set('durable_frames', log.durableThrough);
    counters.set('connected', actor.counters.connected);
    counters.set('reconnects', actor.counters.reconnects);
    counters.set('control', actor.counters.controlFrames);
    counters.set('oversize', actor.counters.oversize);
  });
  actor.start();
  return {
    control: {
      status: () => actor.status(),
      fillGaps: (gaps) => actor.fillGaps(gaps),
      stop: async () => {
        await actor.stop();
        end();
      },
    },
    run: run.finally(() => heartbeat.cancel()),
  };
}

function feedOptions(config: Config, key: IngestSpec['key']): FeedOptions {
  const exchange = config.exchanges[key];
  return {
    channel: 'channel' in exchange ? exchange.channel : 'trade',
    url: exchange.ws_url,
    restUrl: exchange.rest_url,
    silenceMs: exchange.silence_limit_ms,
    connectionAgeMs: exchange.connection_age_max_ms,
    backfill: exchange.backfill,
    syncIntervalMs: config.bronze.sync_interval_ms,
  };
}
