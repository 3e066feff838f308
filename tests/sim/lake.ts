/**
 * The lake pool of a simulated process: the production queue of jobs, run one after the other as
 * events. Most seeds store rows as lines of text instead of Parquet, a hundred times cheaper; where
 * and how a file is put on the disk is the production code either way.
 */

import { bronzeTable } from '#schemas/bronze';
import { candleTable } from '#schemas/candle';
import { DEAD_LETTERS, REASONS } from '#schemas/dead-letter';
import { exchangeKey } from '#schemas/exchange';
import type { Instrument } from '#schemas/instrument';
import { TIMEFRAMES } from '#schemas/timeframe';
import type { Disk } from '#src/base/disk';
import { loadInt64 } from '#src/base/int64';
import { CANDLE_BYTES } from '#src/candles/record';
import { TradeBatch } from '#src/columns/trade-batch';
import { stageFile } from '#src/lake/file-sink';
import type { LakeJob } from '#src/lake/job';
import {
  DAY_US,
  dayOf,
  dayPartition,
  HOUR_US,
  hourPartition,
  monthPartition,
} from '#src/lake/partition';
import { NO_METRICS, type StagedFile } from '#src/lake/staged-file';
import { LogReader } from '#src/log/log-reader';
import { bytesText } from '#tests/sim/line-sum';

export interface LinesPlace {
  readonly lakeDir: string;
  readonly disk: Disk;
  readonly instruments: readonly Instrument[];
}

/** What a row of each table is in a file of lines; the checkers make the same of the oracle's. */
export class LineEncoder {
  readonly #place: LinesPlace;

  constructor(place: LinesPlace) {
    this.#place = place;
  }

  run(job: LakeJob): StagedFile[] {
    switch (job.kind) {
      case 'trades': {
        const batch = new TradeBatch(job.memory, 0, job.capacity);
        const byHour = new Map<number, string[]>();
        for (let row = 0; row < job.rows; row++) {
          const hour = Math.floor(loadInt64(batch.time, row) / HOUR_US);
          push(byHour, hour, tradeLine(batch, row));
        }
        return [...byHour].flatMap(([hour, lines], k) =>
          job.tables.map((table) =>
            this.#stage(table, hourPartition(hour), `${job.name}-${k}`, lines),
          ),
        );
      }
      case 'dead-letters': {
        const byDay = new Map<number, string[]>();
        for (const row of job.rows) {
          const raw = bytesText(row.raw);
          const reason = REASONS[row.reason]?.name;
          const line = `${row.exchange}|${row.sequence}|${row.index}|${reason}|${row.receiveTimeUs}|${raw}`;
          push(byDay, dayOf(row.receiveTimeUs), line);
        }
        return [...byDay].map(([day, lines], k) =>
          this.#stage(DEAD_LETTERS, dayPartition('dlq_date', day), `${job.name}-${k}`, lines),
        );
      }
      case 'candles': {
        const lines: string[] = [];
        for (let at = 0; at < job.records.length; at += CANDLE_BYTES) {
          lines.push(Buffer.from(job.records.subarray(at, at + CANDLE_BYTES)).toString('hex'));
        }
        const startUs = Number(Buffer.from(job.records.subarray(8, 16)).readBigInt64LE());
        const day = Math.floor(startUs / DAY_US);
        const partition =
          job.timeframe === '1d'
            ? monthPartition('window_month', day)
            : dayPartition('window_date', day);
        return [this.#stage(candleTable(job.timeframe), partition, job.name, lines)];
      }
      case 'bronze':
        return this.#bronze(job);
    }
  }

  #bronze(job: LakeJob & { kind: 'bronze' }): StagedFile[] {
    const { disk } = this.#place;
    const reader = LogReader.open({ disk, dir: job.dir, fromSequence: job.fromSequence });
    const byDay = new Map<number, string[]>();
    while (reader.next() && reader.sequence < job.toSequence) {
      const raw = bytesText(reader.bytes.subarray(reader.start, reader.end));
      const line = `${reader.sequence}|${reader.receiveTimeUs}|${reader.kind}|${reader.connection}|${raw}`;
      push(byDay, dayOf(reader.receiveTimeUs), line);
    }
    reader.close();
    const table = bronzeTable(exchangeKey(job.exchange));
    return [...byDay].map(([day, lines], k) =>
      this.#stage(table, dayPartition('receive_date', day), `${job.name}-${k}`, lines),
    );
  }

  #stage(table: string, partition: string, name: string, lines: readonly string[]): StagedFile {
    const bytes = Buffer.from(lines.join('\n'));
    return stageFile(
      this.#place,
      { table, partition, name, rows: lines.length, bytes },
      NO_METRICS,
    );
  }
}

/** Everything a batch's row holds, in the names of its columns. */
function tradeLine(batch: TradeBatch, row: number): string {
  const int = (words: Int32Array): number => loadInt64(words, row);
  return [
    batch.instrument[row],
    int(batch.tradeId),
    int(batch.time),
    wide(batch.price, row),
    wide(batch.quantity, row),
    batch.side[row],
    batch.condition[row],
    int(batch.sourceSequence),
    int(batch.receiveTime),
    int(batch.frameSequence),
    batch.frameIndex[row],
    int(batch.firstId),
    int(batch.lastId),
  ].join('|');
}

/** A price or a quantity has more digits than a number. */
function wide(words: Int32Array, row: number): bigint {
  return (BigInt(words[2 * row + 1] as number) << 32n) | BigInt((words[2 * row] as number) >>> 0);
}

function push(map: Map<number, string[]>, key: number, line: string): void {
  const lines = map.get(key);
  if (lines === undefined) map.set(key, [line]);
  else lines.push(line);
}

export const TIMEFRAME_TABLES: readonly string[] = TIMEFRAMES.map(candleTable);
