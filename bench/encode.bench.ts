/**
 * Trades to Parquet, all 17 columns, files fsynced: rows per second of processor time and bytes a
 * row, for the chunk sizes the pipeline has. And raw frames to bronze tables, which `pipeline` does
 * without: the epochs make them once the pipeline has caught up.
 */
import { createHash, type Hash } from 'node:crypto';
import { join } from 'node:path';
import { EXCHANGES, exchangeKey } from '#schemas/exchange';
import { nodeDisk } from '#src/base/node-disk';
import { BronzeEncoder } from '#src/lake/bronze-encoder';
import { ROWS_PER_FILE_MAX } from '#src/lake/rows-per-file';
import type { StagedFile } from '#src/lake/staged-file';
import { TradeEncoder } from '#src/lake/trade-encoder';
import {
  type BenchContext,
  type Benchmark,
  check,
  type Figure,
  type Outcome,
} from './benchmark.js';
import { recording } from './recording.js';
import { leastCpuMs } from './stopwatch.js';
import { BENCH_INSTRUMENTS, marketTrades } from './trade-market.js';

const START_US = 1_751_932_800_000_000;

/** A file's worth of each exchange. */
function encodeBronze(context: BenchContext, hash: Hash): Figure[] {
  const { bronze } = recording(context);
  const encoder = new BronzeEncoder({ lakeDir: context.dir, disk: nodeDisk() });
  const toSequence = context.tiny ? 200 : ROWS_PER_FILE_MAX;
  return EXCHANGES.map((exchange) => {
    const key = exchangeKey(exchange);
    const job = { kind: 'bronze', exchange, dir: join(bronze, key), fromSequence: 0 } as const;
    let rows = 0;
    const cpuMs = leastCpuMs(context.tiny ? 1 : 3, () => {
      const files = encoder.run({ ...job, toSequence, name: `bench-${key}` });
      rows = files.reduce((sum, file) => sum + file.rows, 0);
      for (const { sha256 } of files) hash.update(sha256);
    });
    check(rows === toSequence, `${rows} frames stored of ${toSequence}`);
    return {
      name: `bronze table of ${exchange} frames`,
      value: rows / cpuMs / 1_000,
      unit: 'M rows/s per core',
    };
  });
}

async function run(context: BenchContext): Promise<Outcome> {
  const { tiny, dir, say } = context;
  const encoder = new TradeEncoder(BENCH_INSTRUMENTS, { lakeDir: dir, disk: nodeDisk() });
  const figures: Figure[] = [];
  const hash = createHash('sha256');
  for (const rows of tiny ? [1_000] : [131_072, 262_144]) {
    say(`${rows} rows`);
    const { memory, capacity } = marketTrades(rows, 7, START_US);
    const tables = ['gold_crypto_trades'];
    let files: StagedFile[] = [];
    const cpuMs = leastCpuMs(tiny ? 1 : 12, () => {
      files = encoder.run({ kind: 'trades', tables, name: 'bench', memory, capacity, rows });
    });
    const bytes = files.reduce((sum, file) => sum + file.bytes, 0);
    check(files.reduce((sum, file) => sum + file.rows, 0) === rows, `rows stored of ${rows}`);
    for (const { sha256 } of files) hash.update(sha256);
    const what = `${rows.toLocaleString('en')} rows`;
    figures.push(
      { name: what, value: rows / cpuMs / 1_000, unit: 'M rows/s per core' },
      { name: `${what}, size`, value: bytes / rows, unit: 'bytes a row' },
    );
  }
  say('raw frames');
  figures.push(...encodeBronze(context, hash));
  return { figures, digest: hash.digest('hex').slice(0, 16) };
}

export const encode: Benchmark = {
  name: 'encode',
  about: 'Trades in memory to durable Parquet files of 17 columns.',
  run,
};
