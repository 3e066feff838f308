/**
 * One run of the pipeline in this process: bronze logs that are on disk already, to silver, gold,
 * dead letters, the gap ledger and six candle tables, all durable and published.
 */

import { createHash } from 'node:crypto';
import { candleTable } from '#schemas/candle';
import { DEAD_LETTERS } from '#schemas/dead-letter';
import { EXCHANGES, exchangeKey } from '#schemas/exchange';
import { TIMEFRAMES } from '#schemas/timeframe';
import { GOLD_TRADES, silverTable } from '#schemas/trade';
import { systemClock } from '#src/base/clock';
import { bigInt128 } from '#src/base/int128';
import { systemTimers } from '#src/base/timers';
import { numberAt, recordWords, WORD } from '#src/candles/record';
import { loadConfig } from '#src/config/load';
import { PACKAGE_ROOT } from '#src/config/package-root';
import { type DataDirectory, openDataDirectory } from '#src/supervision/data-directory';
import { OfflineRun } from '#src/supervision/offline-run';
import { openLog } from '#src/supervision/process-log';
import { threadWorkers } from '#src/supervision/workers';
import { answerParent, measureProcess, type Usage } from './pinned-child.js';
import { recordedInstruments } from './recording.js';
import { threadTimes } from './thread-times.js';

export interface PipelineRequest {
  readonly dataDir: string;
  readonly bronze: string;
  readonly lakeThreads: number;
}

export interface PipelineAnswer {
  readonly usage: Usage;
  /** Processor time by thread, ms; see thread-times.ts. */
  readonly threads: Readonly<Record<string, number>>;
  readonly frames: number;
  readonly silver: number;
  readonly gold: number;
  readonly duplicates: number;
  readonly deadLetters: number;
  readonly candles: number;
  /** Trades in the daily candles, and their exact volume x 10^8 as text. */
  readonly candleTrades: number;
  readonly candleVolume: string;
  readonly epochs: number;
  readonly files: number;
  readonly lakeBytes: number;
  /** Of every candle record, every interval set and every count. */
  readonly digest: string;
}

answerParent(async ({ dataDir, bronze, lakeThreads }: PipelineRequest): Promise<PipelineAnswer> => {
  const taken = measureProcess();
  const config = loadConfig({
    env: {
      BULLION_DATA_DIR: dataDir,
      BULLION_LAYOUT_LAKE_THREADS: String(lakeThreads),
      BULLION_LOG_LEVEL: 'error',
    },
    cwd: PACKAGE_ROOT,
  });
  const clock = systemClock();
  const data = await openDataDirectory({
    config,
    instruments: recordedInstruments(),
    clock,
    bronze,
    binanceStream: 'trade',
    purpose: 'a benchmark',
  });
  const run = new OfflineRun({
    config,
    data,
    clock,
    timers: systemTimers,
    workers: threadWorkers(new URL('../actors/', import.meta.url)),
    log: openLog('error'),
    appendTo: undefined,
    bronzeTables: false, // the log itself is on disk already; encode.bench.ts says what they cost
  });
  await run.ready();
  const epochs = await run.finish(() => {});
  const usage = taken();
  const threads = threadTimes();
  await run.close();
  const answer = { usage, threads, epochs, ...resultOf(data) };
  await data.close();
  return answer;
});

function resultOf({ store, instruments }: DataDirectory) {
  const { progress, gold } = store.epoch();
  const sum = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0);
  const silverTables = EXCHANGES.map((exchange) => silverTable(exchangeKey(exchange)));
  const tables = [...silverTables, GOLD_TRADES, DEAD_LETTERS, ...TIMEFRAMES.map(candleTable)];
  const files = tables.flatMap((table) => [...store.files(table)]);
  const rowsIn = (...names: readonly string[]): number =>
    sum(files.filter(({ table }) => names.includes(table)).map(({ rows }) => rows));
  const hash = createHash('sha256');
  let candles = 0;
  let candleTrades = 0;
  let candleVolume = 0n;
  for (const timeframe of TIMEFRAMES.keys()) {
    for (const { code } of instruments) {
      for (const record of store.candles(timeframe, code, 0, Number.MAX_SAFE_INTEGER)) {
        hash.update(record);
        candles++;
        if (TIMEFRAMES[timeframe] !== '1d') continue;
        const words = recordWords(record);
        candleTrades += numberAt(words, 0, WORD.tradeCount);
        candleVolume += bigInt128(words, WORD.volume);
      }
    }
  }
  for (const { intervals } of store.intervalSets()) hash.update(intervals);
  return {
    frames: sum(progress.map(({ frames }) => frames)),
    silver: rowsIn(...silverTables),
    gold: rowsIn(GOLD_TRADES),
    duplicates: sum(gold.map(({ duplicates }) => duplicates)),
    deadLetters: rowsIn(DEAD_LETTERS),
    candles,
    candleTrades,
    candleVolume: String(candleVolume),
    files: files.length,
    lakeBytes: sum(files.map(({ bytes }) => bytes)),
    digest: hash.digest('hex').slice(0, 16),
  };
}
