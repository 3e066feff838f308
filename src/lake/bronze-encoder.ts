/**
 * A BronzeJob to Parquet files: the frames of a stretch of one exchange's log, exactly as they were
 * received, in log order. One file per UTC day of the receive time, more when a day's frames are
 * more than ROWS_PER_FILE_MAX or RAW_BYTES_PER_FILE_MAX.
 *
 * Frames are copied batch by batch from the log reader's buffer into reused memory; whatever the
 * stretch, only one file's frames are held at a time. Sequences the log has lost are not in it.
 */
import type { Schema } from 'apache-arrow';
import { BRONZE, bronzeTable } from '#schemas/bronze';
import { exchangeKey } from '#schemas/exchange';
import { assert } from '#src/base/errors';
import { storeInt64 } from '#src/base/int64';
import {
  CodedColumn,
  fixedData,
  Int64Column,
  recordBatch,
  textData,
} from '#src/lake/arrow-buffers';
import { arrowSchema } from '#src/lake/arrow-schema';
import { type FileSink, stageFile } from '#src/lake/file-sink';
import { IpcStream } from '#src/lake/ipc-stream';
import type { BronzeJob } from '#src/lake/job';
import {
  AS_IS,
  encodeParquet,
  type ParquetLayout,
  REPEATED,
  STEPS,
  unbounded,
} from '#src/lake/parquet-writer';
import { dayOf, dayPartition } from '#src/lake/partition';
import { ROWS_PER_FILE_MAX } from '#src/lake/rows-per-file';
import type { StagedFile } from '#src/lake/staged-file';
import { FRAME_BYTES_MAX, FRAME_KINDS } from '#src/log/frame';
import { LogReader } from '#src/log/log-reader';

/** Rows of a record batch; its frames' bytes fit because one frame never has more than this. */
const BATCH_ROWS = 8_192;
const BATCH_BYTES = FRAME_BYTES_MAX;

/** Bounds the worker's memory, which holds a file's raw frames about three times. */
const RAW_BYTES_PER_FILE_MAX = 64 * 1024 * 1024;

export const BRONZE_LAYOUT: ParquetLayout = {
  columns: {
    sequence: STEPS,
    receive_timestamp: STEPS,
    kind: REPEATED,
    connection: REPEATED,
    raw_frame: unbounded(AS_IS),
    receive_date: STEPS,
  },
  others: REPEATED,
};

type Name = (typeof BRONZE.columns)[number]['name'];

export class BronzeEncoder {
  readonly #schema: Schema = arrowSchema(BRONZE, ['kind']);
  readonly #ipc = new IpcStream();
  readonly #sink: FileSink;

  /** The batch being filled. */
  readonly #sequence = new Int64Column(BATCH_ROWS);
  readonly #receiveTime = new Int64Column(BATCH_ROWS);
  readonly #kind = new CodedColumn(BATCH_ROWS, FRAME_KINDS);
  readonly #connection = new Int32Array(BATCH_ROWS);
  /** Frame i is raw[offsets[i], offsets[i + 1]). */
  readonly #offsets = new Int32Array(BATCH_ROWS + 1);
  readonly #raw = Buffer.allocUnsafeSlow(BATCH_BYTES);
  readonly #date = new Int32Array(BATCH_ROWS);
  #batchRows = 0;

  /** The file being filled. */
  #day = 0;
  #rows = 0;
  #rawBytes = 0;

  constructor(sink: FileSink) {
    this.#sink = sink;
  }

  run({ exchange, dir, fromSequence, toSequence, name }: BronzeJob): StagedFile[] {
    const reader = LogReader.open({ disk: this.#sink.disk, dir, exchange, fromSequence });
    const next = (): boolean => reader.next() && reader.sequence < toSequence;
    const files: StagedFile[] = [];
    try {
      for (let hasFrame = next(); hasFrame; ) {
        this.#begin(dayOf(reader.receiveTimeUs));
        while (hasFrame && this.#isOfThisFile(reader)) {
          this.#add(reader);
          hasFrame = next();
        }
        this.#flush();
        files.push(
          stageFile(this.#sink, {
            table: bronzeTable(exchangeKey(exchange)),
            partition: dayPartition('receive_date', this.#day),
            name: `${name}-${files.length}`,
            rows: this.#rows,
            bytes: encodeParquet(this.#ipc.end(), BRONZE_LAYOUT),
          }),
        );
      }
    } finally {
      reader.close();
    }
    return files;
  }

  #begin(day: number): void {
    this.#day = day;
    this.#rows = 0;
    this.#rawBytes = 0;
    this.#date.fill(day);
    this.#ipc.begin(this.#schema);
  }

  #isOfThisFile({ start, end, receiveTimeUs }: LogReader): boolean {
    return (
      this.#rows < ROWS_PER_FILE_MAX &&
      (this.#rows === 0 || this.#rawBytes + end - start <= RAW_BYTES_PER_FILE_MAX) &&
      dayOf(receiveTimeUs) === this.#day
    );
  }

  #add(frame: LogReader): void {
    const { start, end } = frame;
    const room = BATCH_BYTES - (this.#offsets[this.#batchRows] as number);
    if (this.#batchRows === BATCH_ROWS || end - start > room) this.#flush();
    const row = this.#batchRows++;
    const at = this.#offsets[row] as number;
    frame.bytes.copy(this.#raw, at, start, end);
    this.#offsets[row + 1] = at + end - start;
    storeInt64(this.#sequence.words, row, frame.sequence);
    storeInt64(this.#receiveTime.words, row, frame.receiveTimeUs);
    assert(frame.kind < FRAME_KINDS.length, `frame ${frame.sequence} has kind ${frame.kind}`);
    this.#kind.codes[row] = frame.kind;
    this.#connection[row] = frame.connection;
    this.#rows++;
    this.#rawBytes += end - start;
  }

  /** The batch goes into the file, and its memory is free again. */
  #flush(): void {
    const rows = this.#batchRows;
    if (rows === 0) return;
    this.#ipc.write(
      recordBatch<Name>(this.#schema, rows, {
        sequence: (type) => this.#sequence.data(type, rows),
        receive_timestamp: (type) => this.#receiveTime.data(type, rows),
        kind: (type) => this.#kind.data(type, rows),
        connection: (type) => fixedData(type, rows, this.#connection.subarray(0, rows)),
        raw_frame: (type) => textData(rows, this.#offsets, this.#raw, type),
        receive_date: (type) => fixedData(type, rows, this.#date.subarray(0, rows)),
      }),
    );
    this.#batchRows = 0;
  }
}
