/**
 * A DeadLettersJob to Parquet files: one per UTC day of the receive time, sorted by offset; more
 * when a day's raw records together exceed RAW_BYTES_PER_FILE_MAX.
 */
import type { Data, DataType, Schema } from 'apache-arrow';
import { DEAD_LETTER, DEAD_LETTERS, REASONS } from '#schemas/dead-letter';
import { assert } from '#src/base/errors';
import { storeInt64 } from '#src/base/int64';
import {
  fixedData,
  Int64Column,
  recordBatch,
  stringsData,
  textData,
} from '#src/lake/arrow-buffers';
import { arrowSchema } from '#src/lake/arrow-schema';
import { type FileSink, stageFile } from '#src/lake/file-sink';
import { IpcStream } from '#src/lake/ipc-stream';
import type { DeadLetterRow, DeadLettersJob } from '#src/lake/job';
import {
  encodeParquet,
  type ParquetLayout,
  REPEATED,
  STEPS,
  unbounded,
} from '#src/lake/parquet-writer';
import { dayOf, dayPartition } from '#src/lake/partition';
import { ROWS_PER_FILE_MAX } from '#src/lake/rows-per-file';
import type { StagedFile } from '#src/lake/staged-file';

/** A frame has up to 4 MiB and every bad trade in it repeats it: bounds the encoder's memory. */
const RAW_BYTES_PER_FILE_MAX = 32 * 1024 * 1024;

export const DEAD_LETTER_LAYOUT: ParquetLayout = {
  columns: {
    raw_record: unbounded(REPEATED), // a bound would repeat whole frames in the footer
    error_timestamp: STEPS,
    offset: STEPS,
    dlq_date: STEPS,
  },
  others: REPEATED,
};

export class DeadLetterEncoder {
  readonly #schema: Schema = arrowSchema(DEAD_LETTER);
  readonly #ipc = new IpcStream();
  readonly #sink: FileSink;

  constructor(sink: FileSink) {
    this.#sink = sink;
  }

  run({ rows, name }: DeadLettersJob): StagedFile[] {
    const parts = split(rows);
    return parts.map((part, k) =>
      stageFile(this.#sink, {
        table: DEAD_LETTERS,
        partition: dayPartition('dlq_date', dayOf((part[0] as DeadLetterRow).receiveTimeUs)),
        name: parts.length === 1 ? name : `${name}-${k}`,
        rows: part.length,
        bytes: this.#encode(part),
      }),
    );
  }

  #encode(rows: readonly DeadLetterRow[]): Uint8Array {
    const int64 = (value: (row: DeadLetterRow) => number): Int64Column => {
      const column = new Int64Column(rows.length);
      for (const [i, row] of rows.entries()) storeInt64(column.words, i, value(row));
      return column;
    };
    const reasons = rows.map(({ reason }) => {
      const known = REASONS[reason];
      assert(known !== undefined, `dead letter with unknown reason ${reason}`);
      return known;
    });
    this.#ipc.begin(this.#schema);
    this.#ipc.write(
      recordBatch<(typeof DEAD_LETTER.columns)[number]['name']>(this.#schema, rows.length, {
        raw_record: (type) => rawData(type, rows),
        record_index: (type) =>
          fixedData(
            type,
            rows.length,
            Int32Array.from(rows, (row) => row.index),
          ),
        error_reason: () => stringsData(reasons.map((reason) => reason.name)),
        error_type: () => stringsData(reasons.map((reason) => reason.type)),
        error_timestamp: (type) => int64((row) => row.receiveTimeUs).data(type, rows.length),
        bronze_source: () => stringsData(rows.map((row) => row.exchange)),
        offset: (type) => int64((row) => row.sequence).data(type, rows.length),
        dlq_date: (type) =>
          fixedData(
            type,
            rows.length,
            Int32Array.from(rows, (row) => dayOf(row.receiveTimeUs)),
          ),
      }),
    );
    return encodeParquet(this.#ipc.end(), DEAD_LETTER_LAYOUT);
  }
}

function rawData(type: DataType, rows: readonly DeadLetterRow[]): Data {
  const offsets = new Int32Array(rows.length + 1);
  for (const [i, { raw }] of rows.entries()) offsets[i + 1] = offsets[i] + raw.length;
  const bytes = new Uint8Array(offsets[rows.length]);
  for (const [i, { raw }] of rows.entries()) bytes.set(raw, offsets[i]);
  return textData(rows.length, offsets, bytes, type);
}

/** Rows by day, then by (offset, exchange, index), cut where a file would become too large. */
function split(rows: readonly DeadLetterRow[]): DeadLetterRow[][] {
  const sorted = [...rows].sort(
    (a, b) =>
      dayOf(a.receiveTimeUs) - dayOf(b.receiveTimeUs) ||
      a.sequence - b.sequence ||
      (a.exchange < b.exchange ? -1 : a.exchange > b.exchange ? 1 : 0) ||
      a.index - b.index,
  );
  const parts: DeadLetterRow[][] = [];
  let part: DeadLetterRow[] = [];
  let bytes = 0;
  for (const row of sorted) {
    const first = part[0];
    const full =
      bytes + row.raw.length > RAW_BYTES_PER_FILE_MAX || part.length === ROWS_PER_FILE_MAX;
    const otherDay = first && dayOf(first.receiveTimeUs) !== dayOf(row.receiveTimeUs);
    if (first === undefined || full || otherDay) {
      part = [];
      bytes = 0;
      parts.push(part);
    }
    part.push(row);
    bytes += row.raw.length;
  }
  return parts;
}
