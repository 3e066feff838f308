/**
 * Trades to Parquet, all 17 columns: rows per second of CPU time and bytes a row.
 * `node dist/bench/parquet.bench.js [rows] [rounds]`
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { wasmMemory } from 'parquet-wasm';
import { BENCH_INSTRUMENTS, marketTrades } from '#bench/trade-market';
import { nodeDisk } from '#src/base/node-disk';
import { TradeEncoder } from '#src/lake/trade-encoder';

const rows = Number(process.argv[2] ?? 262_144);
const rounds = Number(process.argv[3] ?? 6);
const batch = marketTrades(rows, 7, 1_751_932_800_000_000);
const lakeDir = mkdtempSync(join(tmpdir(), 'lake-'));
const encoder = new TradeEncoder(BENCH_INSTRUMENTS, { lakeDir, disk: nodeDisk() });
const job = { kind: 'trades', tables: ['gold_crypto_trades'], name: 'bench' } as const;
let best = Number.POSITIVE_INFINITY;
let bytes = 0;
for (let round = 0; round < rounds; round++) {
  const start = process.cpuUsage(); // not wall time: other processes may share the core
  const files = encoder.run({ ...job, memory: batch.memory, capacity: batch.capacity, rows });
  const { user, system } = process.cpuUsage(start);
  best = Math.min(best, (user + system) / 1000);
  bytes = files.reduce((sum, file) => sum + file.bytes, 0);
}
console.log(
  `${rows} rows: ${(rows / best / 1000).toFixed(2)} M rows per CPU second, ${(bytes / rows).toFixed(2)} B/row, ` +
    `wasm memory ${(wasmMemory().buffer.byteLength / 2 ** 20).toFixed(0)} MiB, ` +
    `process ${(process.memoryUsage.rss() / 2 ** 20).toFixed(0)} MiB`,
);
rmSync(lakeDir, { recursive: true });
