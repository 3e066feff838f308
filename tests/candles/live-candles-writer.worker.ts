/**
 * A writer that publishes candles as fast as it can, for live-candles.test.ts. Every word of version
 * v of a record is a function of v, so that a reader can tell a torn record.
 */
import { workerData } from 'node:worker_threads';
import { TIMEFRAME_US } from '#schemas/timeframe';
import { LiveCandlesWriter } from '#src/candles/live-candles';
import { versionedRecord } from '#tests/candles/versioned-record';

interface Task {
  readonly memory: SharedArrayBuffer;
  readonly versions: number;
  readonly windows: number;
}

const { memory, versions, windows } = workerData as Task;
const writer = new LiveCandlesWriter(memory);
for (let version = 1; version <= versions; version++) {
  const startUs = Math.floor((version * windows) / (versions + 1)) * TIMEFRAME_US[0];
  writer.publish(versionedRecord(version, startUs), 0);
}
