/**
 * What a gold trade costs on the disk, all 17 columns: as the epochs leave it, after compaction of its
 * hour, and as DuckDB writes the very same rows. And how fast a compaction is.
 */
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { DuckDBInstance } from '@duckdb/node-api';
import { GOLD_TRADES } from '#schemas/trade';
import { nodeDisk } from '#src/base/node-disk';
import { TradeBatch } from '#src/columns/trade-batch';
import { compact } from '#src/lake/compaction';
import type { StagedFile } from '#src/lake/staged-file';
import { TradeEncoder } from '#src/lake/trade-encoder';
import { type BenchContext, type Benchmark, check, type Outcome } from './benchmark.js';
import { BENCH_INSTRUMENTS, marketTrades } from './trade-market.js';

const START_US = 1_751_932_800_000_000;
/** An hour of epochs at five minutes. */
const EPOCHS = 12;
const BYTES_MAX = 14;

async function run({ tiny, dir, say }: BenchContext): Promise<Outcome> {
  const rows = tiny ? 6_000 : 600_000;
  const sink = { lakeDir: dir, disk: nodeDisk() };
  const encoder = new TradeEncoder(BENCH_INSTRUMENTS, sink);
  const hour = marketTrades(rows, 11, START_US);
  say(`${EPOCHS} files`);
  const files: StagedFile[] = [];
  for (let epoch = 0; epoch < EPOCHS; epoch++) {
    const part = TradeBatch.allocate(rows / EPOCHS);
    part.copyRows(0, hour, epoch * part.capacity, part.capacity);
    const { memory, capacity } = part;
    const tables = [GOLD_TRADES];
    const job = { tables, memory, capacity, rows: capacity, name: `epoch-${epoch}` };
    files.push(...encoder.run({ kind: 'trades', ...job }));
  }
  say('compaction');
  const [{ partition }] = files as [StagedFile];
  const inLake = {
    read: async (path: string) => readFileSync(join(dir, path)),
    deliver: async () => {},
  };
  const started = process.cpuUsage();
  const { file } = await compact(sink, inLake, {
    table: GOLD_TRADES,
    partition,
    inputs: files,
    name: 'compacted',
  });
  const { user, system } = process.cpuUsage(started);
  check(file?.rows === rows, `${file?.rows} rows of ${rows} after compaction`);
  say("DuckDB's writer");
  const theirs = join(dir, 'duckdb.parquet');
  const instance = await DuckDBInstance.create(':memory:');
  const connection = await instance.connect();
  const ours = `read_parquet('${join(dir, file.path)}', hive_partitioning = false)`;
  await connection.run(
    `COPY (SELECT * FROM ${ours}) TO '${theirs}' (FORMAT parquet, COMPRESSION zstd)`,
  );
  const same = await connection.runAndReadAll(
    `SELECT count(*) FROM (SELECT * FROM ${ours} EXCEPT ALL SELECT * FROM '${theirs}')`,
  );
  check(same.getRows()[0]?.[0] === 0n, 'rows DuckDB wrote that are not ours');
  connection.closeSync();
  instance.closeSync();
  const perTrade = (bytes: number): number => bytes / rows;
  const unit = 'bytes a trade';
  return {
    figures: [
      {
        name: `${EPOCHS} files, as the epochs leave them`,
        value: perTrade(files.reduce((sum, { bytes }) => sum + bytes, 0)),
        unit,
      },
      {
        name: 'one file, after compaction',
        value: perTrade(file.bytes),
        unit,
        target: { atMost: BYTES_MAX },
      },
      {
        name: "the same rows in the same order by DuckDB's writer, zstd",
        value: perTrade(statSync(theirs).size),
        unit,
      },
      { name: 'compaction', value: rows / (user + system), unit: 'M trades a CPU second' },
    ],
    digest: file.sha256.slice(0, 16),
    remarks: ['All 17 columns. Compaction reads its output back and compares all rows by digest.'],
  };
}

export const compaction: Benchmark = {
  name: 'compaction',
  about: 'What a gold trade costs on the disk, before and after compaction, and written by DuckDB.',
  run,
};
