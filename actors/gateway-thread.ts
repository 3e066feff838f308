/**
 * The gateway on its thread: the HTTP server over the committed state, the live candles and the
 * committed files. It reads shared memory and the state store; files are read by the query pool. So
 * nothing a client does reaches the pipeline.
 */

import type { Remote } from 'comlink';
import { TIMEFRAMES } from '#schemas/timeframe';
import { type CandleReaders, mergedCandles } from '#src/api/candle-source';
import { CommittedCandles } from '#src/api/committed-candles';
import { createGateway } from '#src/api/gateway';
import type { SystemStatus } from '#src/api/health';
import type { HistorySource } from '#src/api/history';
import { listen } from '#src/api/listen';
import type { LedgerSource } from '#src/api/report-routes';
import { every } from '#src/base/timers';
import { LiveCandlesReader } from '#src/candles/live-candles';
import { CANDLE_BYTES, CANDLE_WORDS } from '#src/candles/record';
import { catalogReader } from '#src/iceberg/catalog-reader';
import { openCatalog } from '#src/iceberg/open-catalog';
import { openStream } from '#src/push/stream';
import { QueryPool } from '#src/query/pool';
import type { GatewayControl, StartedActor } from '#src/runtime/control';
import { ActorCounters } from '#src/runtime/counters';
import { gatewayDoorbell } from '#src/runtime/group-memory';
import type { MachineWithState } from '#src/runtime/machine';
import type { SupervisorLine } from '#src/runtime/supervisor-line';
import { endHungProcess, SupervisorWatch } from '#src/runtime/supervisor-watch';
import type { GatewaySpec } from '#src/runtime/thread-spec';
import { instrumentGaps, ledgerStats } from '#src/state/ledger';
import { StateStore } from '#src/state/store';
import { viewTable } from '#src/state/table-view';
import { LiveTradesReader } from '#src/trades/live-trades';
import { openWarehouse, warehouseSpec } from '#src/warehouse/open-warehouse';

const HEARTBEAT_MS = 250;

export async function start(
  spec: GatewaySpec,
  line: Remote<SupervisorLine>,
  machine: MachineWithState,
): Promise<StartedActor<GatewayControl>> {
  const { config, instruments, paths } = spec;
  const { http } = config;
  const store = await StateStore.open(paths.state, {
    readOnly: true,
    databases: machine.databases,
  });
  const pool = new QueryPool({
    worker: new URL('./query-worker.js', import.meta.url),
    warehouse: warehouseSpec(config, config.data_dir),
    catalog: config.catalog,
    concurrency: http.queries.concurrency,
    timeoutMs: http.queries.timeout_ms,
    memoryMb: http.queries.memory_mb,
  });
  const counters = new ActorCounters('gateway', spec.board, spec.boardRow);
  let status: SystemStatus = { exchanges: [], actors: [], last_epoch: null, problems: [] };
  let requests = 0;
  const watch = new SupervisorWatch(config.supervision.hang_limit_ms);
  const candles = mergedCandles(candleReaders(spec, store));
  const onFailure = (error: unknown): void => {
    const stack = error instanceof Error ? error.stack : String(error);
    void line.log('error', 'a request failed', { stack });
  };
  const all = { fromUs: 0, toUs: Number.MAX_SAFE_INTEGER, which: 'last' } as const;
  const liveTrades = new LiveTradesReader(spec.liveTrades);
  const stream = openStream({
    instruments,
    sources: {
      live: new LiveCandlesReader(spec.live),
      liveTrades,
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
    nowUs: machine.clock.nowUs,
    monotonicMs: () => machine.clock.monotonicMs(),
    iceberg: catalogReader(
      openCatalog(config.catalog),
      openWarehouse(machine.disk, warehouseSpec(config, config.data_dir)),
    ),
    history: historySource(store, pool),
    liveTrades,
    ledger: ledgerSource(spec, store),
    cursorSecret: spec.cursorSecret,
    access: spec.access,
    limits: {
      connections: http.connections,
      connectionsPerAddress: http.connections_per_address,
      requestsPerSecond: http.requests_per_second,
    },
    push: stream.attach,
    onFailure,
  });
  server.server.on('request', () => {
    requests++;
  });
  const port = await listen(server, http.host, http.port);
  const heartbeat = every(machine.timers, HEARTBEAT_MS, () => {
    counters.beat();
    counters.set('requests', requests);
    counters.set('stream_clients', stream.clients);
    if (watch.isHung(machine.clock.monotonicMs())) endHungProcess();
  });
  let end: () => void = () => {};
  const run = new Promise<void>((resolve) => {
    end = resolve;
  });
  return {
    control: {
      status: (update) => {
        status = update;
        watch.heard();
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
        await pool.destroy();
        await store.close();
      }),
  };
}

function candleReaders({ live: memory, config }: GatewaySpec, store: StateStore): CandleReaders {
  const live = new LiveCandlesReader(memory);
  const into = new Int32Array(config.candles.live_depth * CANDLE_WORDS);
  const committed = new CommittedCandles(store);
  return {
    committed: (...range) => committed.read(...range),
    *live(timeframe, instrument, fromUs, toUs, descending, limit) {
      const index = TIMEFRAMES.indexOf(timeframe);
      const room = into.subarray(0, Math.min(limit * CANDLE_WORDS, into.length));
      const count = descending
        ? live.newest(instrument, index, fromUs, toUs, room)
        : live.range(instrument, index, fromUs, toUs, room);
      for (let i = 0; i < count; i++) {
        yield new Uint8Array(into.buffer, i * CANDLE_BYTES, CANDLE_BYTES);
      }
    },
  };
}

function historySource(store: StateStore, pool: QueryPool): HistorySource {
  return {
    files: (table, fromUs, toUs) => viewTable(store, table, fromUs, toUs),
    withDigests(files) {
      const removed = new Map(store.removedFiles().map(({ path, sha256 }) => [path, sha256]));
      return files.map((file) => {
        const sha256 = store.liveFile(file.path)?.sha256 ?? removed.get(file.path);
        return sha256 === undefined ? file : { ...file, sha256 };
      });
    },
    run: (query) => pool.run(query),
  };
}

function ledgerSource({ instruments }: GatewaySpec, store: StateStore): LedgerSource {
  let stats: ReturnType<LedgerSource['stats']> | undefined;
  let statsEpoch = -1;
  return {
    gaps: (instrument) => instrumentGaps(store, instrument),
    stats() {
      const { epoch } = store.epoch();
      // A failed count is counted again.
      if (stats === undefined || epoch !== statsEpoch) {
        stats = ledgerStats(store, instruments);
        statsEpoch = epoch;
        stats.catch(() => {
          stats = undefined;
        });
      }
      return stats;
    },
  };
}
