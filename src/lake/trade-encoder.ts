/**
 * A TradesJob to Parquet files: one per UTC hour of trade time, more when an hour has more than
 * ROWS_PER_FILE_MAX rows. Every row of the batch is stored: what is a duplicate is for the caller to
 * leave out.
 *
 * The encodings were chosen by measuring (bench/encode.bench.ts): sorted by symbol and time, ids,
 * times and sequences are small steps (DELTA_BINARY_PACKED), neighbouring ids share all but their
 * last characters (DELTA_BYTE_ARRAY), and the rest repeats (dictionary, or plain where a file
 * hardly ever holds a second value). What the pipeline writes is laid out for speed, what compaction
 * makes of it once an hour is closed for its readers.
 */
import type { Instrument } from '#schemas/instrument';
import { TRADE } from '#schemas/trade';
import { assert } from '#src/base/errors';
import { TradeBatch } from '#src/columns/trade-batch';
import type { TextRange } from '#src/lake/file-metrics';
import { type FileSink, stageFiles } from '#src/lake/file-sink';
import { GATHER_ROWS } from '#src/lake/gather';
import { IpcStream } from '#src/lake/ipc-stream';
import type { TradesJob } from '#src/lake/job';
import {
  CONSTANT,
  encodeParquet,
  FRONT_CODED,
  type ParquetLayout,
  REPEATED,
  STEPS,
  unbounded,
} from '#src/lake/parquet-writer';
import { hourPartition } from '#src/lake/partition';
import { ROWS_PER_FILE_MAX } from '#src/lake/rows-per-file';
import type { StagedFile } from '#src/lake/staged-file';
import { TradeColumns } from '#src/lake/trade-columns';
import { orderTrades, SymbolOrder } from '#src/lake/trade-order';

/** Of compacted files. */
export const TRADE_LAYOUT: ParquetLayout = {
  columns: {
    // A file holds many symbols, so a range of their ids excludes nothing.
    message_id: unbounded(FRONT_CODED),
    trade_id: unbounded(FRONT_CODED),
    symbol: REPEATED,
    exchange: CONSTANT,
    asset_class: unbounded(CONSTANT),
    timestamp: STEPS,
    price: STEPS,
    quantity: { ...STEPS, dictionary: true }, // round lots repeat
    currency: unbounded(CONSTANT),
    side: unbounded(REPEATED),
    source_sequence: STEPS,
    ingestion_timestamp: STEPS,
    platform_sequence: STEPS,
    exchange_date: CONSTANT,
    exchange_hour: CONSTANT,
  },
  // The texts inside trade_conditions and vendor_data.
  others: unbounded(FRONT_CODED),
};

/**
 * Of fresh files: no look-up of every row's symbol and quantity in a dictionary, and no search for
 * the smallest and largest text, which the encoder knows. 150 ns a row of 740.
 */
const FRESH_TRADE_LAYOUT: ParquetLayout = {
  ...TRADE_LAYOUT,
  columns: {
    ...TRADE_LAYOUT.columns,
    symbol: unbounded(CONSTANT),
    exchange: unbounded(CONSTANT),
    quantity: STEPS,
  },
};

export class TradeEncoder {
  readonly #symbols: SymbolOrder;
  readonly #columns: TradeColumns;
  readonly #ipc = new IpcStream();
  readonly #instruments: readonly Instrument[];
  readonly #sink: FileSink;

  constructor(instruments: readonly Instrument[], sink: FileSink) {
    this.#instruments = instruments;
    this.#symbols = new SymbolOrder(instruments);
    this.#columns = new TradeColumns(instruments, this.#symbols);
    this.#sink = sink;
  }

  run(job: TradesJob): StagedFile[] {
    assert(job.rows <= job.capacity, `${job.name}: ${job.rows} rows in a batch of ${job.capacity}`);
    const batch = new TradeBatch(job.memory, 0, job.capacity);
    const { order, groups } = orderTrades(batch, job.rows, this.#symbols);
    const parts = groups.flatMap(({ hour, first, count }) =>
      split(count).map((part) => ({ hour, first: first + part.first, count: part.count })),
    );
    return parts.flatMap(({ hour, first, count }, k) => {
      const rows = order.subarray(first, first + count);
      return stageFiles(this.#sink, job.tables, {
        partition: hourPartition(hour),
        name: parts.length === 1 ? job.name : `${job.name}-${k}`,
        rows: count,
        bytes: this.#encode(batch, rows, hour),
        ranges: this.#ranges(batch, rows),
      });
    });
  }

  /** What FRESH_TRADE_LAYOUT leaves out of the footer. */
  #ranges({ instrument }: TradeBatch, rows: Int32Array): TextRange[] {
    const seen = new Uint8Array(this.#symbols.place.length);
    for (let i = 0; i < rows.length; i++) seen[instrument[rows[i]]] = 1;
    const there = this.#instruments.filter(({ code }) => seen[code] === 1);
    return (['symbol', 'exchange'] as const).map((name) => {
      const values = there.map((one) => one[name]).sort();
      const [min = ''] = values;
      return { fieldId: FIELD_ID.get(name) as number, min, max: values.at(-1) ?? '' };
    });
  }

  #encode(batch: TradeBatch, order: Int32Array, hour: number): Uint8Array {
    this.#ipc.begin(this.#columns.schema);
    for (let at = 0; at < order.length; at += GATHER_ROWS) {
      this.#ipc.write(this.#columns.gather(batch, order.subarray(at, at + GATHER_ROWS), hour));
    }
    return encodeParquet(this.#ipc.end(), FRESH_TRADE_LAYOUT);
  }
}

const FIELD_ID = new Map(TRADE.columns.map(({ name, id }) => [name, id]));

/** Pieces of at most ROWS_PER_FILE_MAX, of equal size but for one row. */
function split(count: number): { first: number; count: number }[] {
  const pieces = Math.ceil(count / ROWS_PER_FILE_MAX);
  return Array.from({ length: pieces }, (_, k) => {
    const first = Math.floor((k * count) / pieces);
    return { first, count: Math.floor(((k + 1) * count) / pieces) - first };
  });
}
