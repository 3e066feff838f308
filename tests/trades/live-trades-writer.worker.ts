/**
 * A gold shard that reads a log of one instrument from its beginning and shows the trades as fast as
 * it can, for live-trades.test.ts. It is terminated at any moment, as a shard may be.
 */
import { workerData } from 'node:worker_threads';
import { TradeBatch } from '#src/columns/trade-batch';
import { LiveTradesWriter } from '#src/trades/live-trades';
import { fillRow } from '#tests/trades/log-of-trades';

const { memory, rows } = workerData as { memory: SharedArrayBuffer; rows: number };
const writer = new LiveTradesWriter(memory);
const batch = TradeBatch.allocate(rows);
for (let n = 0; ; ) {
  for (let row = 0; row < rows; row++, n++) fillRow(batch, row, 0, n, n);
  writer.publish(batch, rows);
}
