/**
 * The real pipeline over a data directory of a test: the threads, rings, epochs and files that the
 * commands run, with a configuration that differs from the default only where a test says so.
 */

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Exchange, exchangeKey } from '#schemas/exchange';
import { systemClock } from '#src/base/clock';
import { nodeDisk } from '#src/base/node-disk';
import { systemTimers } from '#src/base/timers';
import { type ConfiguredInstrument, loadInstruments } from '#src/config/instruments';
import { loadConfig } from '#src/config/load';
import type { Config } from '#src/config/schema';
import { LogHead } from '#src/log/log-head';
import { LogWriter } from '#src/log/log-writer';
import { type DataDirectory, openDataDirectory } from '#src/supervision/data-directory';
import { OfflineRun } from '#src/supervision/offline-run';
import { threadWorkers } from '#src/supervision/workers';
import type { Held } from '#tests/pipeline/held-lines';

const workers = threadWorkers(new URL('../../actors/', import.meta.url));

export interface Shape {
  readonly binanceStream?: 'trade' | 'aggTrade';
  readonly validationShards?: number;
  readonly goldShards?: number;
  readonly lakeThreads?: number;
  readonly batchRows?: number;
  readonly slotsPerShard?: number;
  readonly chunkRows?: number;
  readonly epochRows?: number;
  readonly allowedLatenessMs?: number;
  /** The exchange whose frames come while the pipeline runs. */
  readonly appendTo?: Exchange;
}

export const INSTRUMENTS: readonly ConfiguredInstrument[] = loadInstruments();

export function temporaryDirectory(): { readonly path: string; remove(): void } {
  const path = mkdtempSync(join(tmpdir(), 'bullion-pipeline-'));
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) };
}

/** A writer of one exchange's log, with segments so small that a log has several. */
export function openLog(
  dir: string,
  exchange: Exchange,
  segmentBytesMax = 4 * 1024 * 1024,
): LogWriter {
  return LogWriter.open({
    disk: nodeDisk(),
    dir: join(dir, 'bronze', exchangeKey(exchange)),
    exchange,
    head: new LogHead(new SharedArrayBuffer(LogHead.byteSize), 0),
    segmentBytesMax,
  });
}

export function configOf(dir: string, shape: Shape): Config {
  const base = loadConfig({ env: {}, cwd: dir });
  const { layout, batches, epochs, candles, exchanges } = base;
  const chunkRows = shape.chunkRows ?? batches.chunk_rows;
  return {
    ...base,
    data_dir: dir,
    exchanges: {
      ...exchanges,
      binance: { ...exchanges.binance, channel: shape.binanceStream ?? 'trade' },
    },
    layout: {
      ...layout,
      validation_shards: shape.validationShards ?? layout.validation_shards,
      gold_shards: shape.goldShards ?? layout.gold_shards,
      lake_threads: shape.lakeThreads ?? layout.lake_threads,
    },
    batches: {
      rows: shape.batchRows ?? batches.rows,
      slots_per_shard: shape.slotsPerShard ?? batches.slots_per_shard,
      chunk_rows: chunkRows,
    },
    epochs: { ...epochs, rows_max: shape.epochRows ?? epochs.rows_max },
    candles: {
      ...candles,
      allowed_lateness_ms: shape.allowedLatenessMs ?? candles.allowed_lateness_ms,
    },
  };
}

export interface Running {
  readonly run: OfflineRun;
  readonly data: DataDirectory;
}

/** Runs the pipeline over what is in bronze, and whatever `work` appends; then looks at the result. */
export async function withPipeline<T>(
  dir: string,
  shape: Shape,
  work: (running: Running) => Promise<void>,
  look: (held: Held, data: DataDirectory) => Promise<T>,
): Promise<T> {
  const config = configOf(dir, shape);
  const clock = systemClock();
  const data = await openDataDirectory({
    config,
    instruments: INSTRUMENTS,
    clock,
    purpose: 'a test',
    binanceStream: shape.binanceStream ?? 'trade',
  });
  try {
    const run = new OfflineRun({
      config,
      data,
      clock,
      timers: systemTimers,
      workers,
      log: () => {},
      appendTo: shape.appendTo,
    });
    try {
      await run.ready();
      await work({ run, data });
    } finally {
      await run.close();
    }
    const { store, paths, instruments } = data;
    return await look({ store, lake: paths.lake, instruments }, data);
  } finally {
    await data.close();
  }
}
