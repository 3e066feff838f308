/**
 * The gateway on its thread: the HTTP server over the committed state and the live candles. It reads
 * shared memory and the state store only, so nothing a client does reaches the pipeline.
 */

import { resolve } from 'node:path';
import type { Remote } from 'comlink';
import { TIMEFRAME_US, TIMEFRAMES } from '#schemas/timeframe';
import { mergedCandles } from '#src/api/candle-source';
import { createGateway } from '#src/api/gateway';
import type { SystemStatus } from '#src/api/health';
import { listen } from '#src/api/listen';
import { every } from '#src/base/timers';
import { LiveCandlesReader } from '#src/candles/live-candles';
import { CANDLE_BYTES, CANDLE_WORDS } from '#src/candles/record';
import { catalogReader } from '#src/iceberg/catalog-reader';
import { openStream } from '#src/push/stream';
import type { GatewayControl, StartedActor } from '#src/runtime/control';
import { ActorCounters } from '#src/runtime/counters';
import { gatewayDoorbell } from '#src/runtime/group-memory';
import type { Machine } from '#src/runtime/machine';
import type { SupervisorLine } from '#src/runtime/supervisor-line';
import type { GatewaySpec } from '#src/runtime/thread-spec';
import { StateStore } from '#src/state/store';
import { LiveTradesReader } from '#src/trades/live-trades';

const HEARTBEAT_MS = 250;

export async function start(
  spec: GatewaySpec,
  line: Remote<SupervisorLine>,
  machine: Machine,
): Promise<StartedActor<GatewayControl>> {
  const { config, instruments, paths } = spec;
  const store = await StateStore.open(paths.state, {
    readOnly: true,
    databases: machine.databases,
  });
  const live = new LiveCandlesReader(spec.live);
  const into = new Int32Array(config.candles.live_depth * CANDLE_WORDS);
  const counters = new ActorCounters('gateway', spec.board, spec.boardRow);
  let status: SystemStatus = { exchanges: [], actors: [], last_epoch: null };
  let requests = 0;
  const candles = mergedCandles({
    committed: (timeframe, instrument, fromUs, toUs, descending) =>
      store.candles(TIMEFRAMES.indexOf(timeframe), instrument, fromUs, toUs, { descending }),
    *live(timeframe, instrument, fromUs, toUs) {
      const index = TIMEFRAMES.indexOf(timeframe);
      const lengthUs = TIMEFRAME_US[index] as number;
      const firstUs = Math.ceil(fromUs / lengthUs) * lengthUs;
      const count = live.range(instrument, index, firstUs, toUs, into);
      for (let i = 0; i < count; i++) {
        yield new Uint8Array(into.buffer, i * CANDLE_BYTES, CANDLE_BYTES);
      }
    },
  });
  const onFailure = (error: unknown): void => {
    const stack = error instanceof Error ? error.stack : String(error);
    void line.log('error', 'a request failed', { stack });
  };
  const all = { fromUs: 0, toUs: Number.MAX_SAFE_INTEGER, which: 'last' } as const;
  const stream = openStream({
    instruments,
    sources: {
      live,
      liveTrades: new LiveTradesReader(spec.liveTrades),
      newest: (timeframe, instrument, limit) =>
        candles.candles({ timeframe, instrument, limit, ...all }),
    },
    bell: gatewayDoorbell(spec.doorbells),
    clock: machine.clock,
    timers: machine.timers,
    onFailure,
  });
  const server = await createGateway({
    instruments,
    candles,
    status: { status: () => status },
    iceberg: catalogReader(machine.disk, resolve(paths.lake)),
    access: spec.access,
    limits: {
      connections: config.http.connections,
      connectionsPerAddress: config.http.connections_per_address,
      requestsPerSecond: config.http.requests_per_second,
    },
    push: stream.attach,
    onFailure,
  });
  server.server.on('request', () => {
    requests++;
  });
  const port = await listen(server, config.http.host, config.http.port);
  const heartbeat = every(machine.timers, HEARTBEAT_MS, () => {
    counters.beat();
    counters.set('requests', requests);
    counters.set('stream_clients', stream.clients);
  });
  let end: () => void = () => {};
  const run = new Promise<void>((resolve) => {
    end = resolve;
  });
  return {
    control: {
      status: (update) => {
        status = update;
      },
      port: () => port,
      stop: async () => {
        stream.end();
        await server.close();
        end();
      },
    },
    run: Promise.all([run, stream.run])
      .then(() => {})
      .finally(async () => {
        heartbeat.cancel();
        await store.close();
      }),
  };
}
