/**
 * A CandlesJob to one Parquet file: the candles of one partition of one timeframe, sorted by
 * (exchange, symbol, window_start). A job whose candles belong to two partitions is a bug.
 */
import type { Data, DataType, Schema } from 'apache-arrow';
import { CANDLE, candleTable } from '#schemas/candle';
import type { Instrument } from '#schemas/instrument';
import { TIMEFRAMES, type Timeframe } from '#schemas/timeframe';
import { assert } from '#src/base/errors';
import { storeInt64 } from '#src/base/int64';
import { addInt64, addInt128, bigInt128, storeBigInt128 } from '#src/base/int128';
import {
  CANDLE_WORDS,
  FLAG_COMPLETE,
  FLAG_FINAL,
  flagsAt,
  numberAt,
  recordWords,
  timeframeAt,
  WORD,
  windowEndAt,
} from '#src/candles/record';
import { vwap } from '#src/candles/vwap';
import {
  booleansData,
  fixedData,
  Int64Column,
  recordBatch,
  stringsData,
} from '#src/lake/arrow-buffers';
import { arrowSchema } from '#src/lake/arrow-schema';
import { type FileSink, stageFile } from '#src/lake/file-sink';
import { IpcStream } from '#src/lake/ipc-stream';
import type { CandlesJob } from '#src/lake/job';
import { encodeParquet, type ParquetLayout, REPEATED, STEPS } from '#src/lake/parquet-writer';
import { dayOf, dayPartition, monthPartition } from '#src/lake/partition';
import type { StagedFile } from '#src/lake/staged-file';

type Name = (typeof CANDLE.columns)[number]['name'];

const CANDLE_LAYOUT: ParquetLayout = {
  columns: {
    window_start: STEPS,
    window_end: STEPS,
    window_date: STEPS,
    open_price: STEPS,
    high_price: STEPS,
    low_price: STEPS,
    close_price: STEPS,
    trade_count: STEPS,
    vwap: STEPS,
    first_trade_id: STEPS,
    last_trade_id: STEPS,
  },
  others: REPEATED,
};

/** The column is an int, the count of late trades a uint32: it stays at the top, never wraps. */
const REVISION_MAX = 2 ** 31 - 1;

export class CandleEncoder {
  readonly #schema: Schema = arrowSchema(CANDLE);
  readonly #instruments: readonly Instrument[];
  /** By instrument code: its place by (exchange, symbol). */
  readonly #place: readonly number[];
  readonly #ipc = new IpcStream();
  readonly #sink: FileSink;

  constructor(instruments: readonly Instrument[], sink: FileSink) {
    const byCode: Instrument[] = [];
    for (const instrument of instruments) byCode[instrument.code] = instrument;
    this.#instruments = byCode;
    const key = ({ exchange, symbol }: Instrument): string => `${exchange}|${symbol}`;
    const keys = instruments.map(key).sort();
    this.#place = byCode.map((instrument) => keys.indexOf(key(instrument)));
    this.#sink = sink;
  }

  run({ timeframe, records, name }: CandlesJob): StagedFile[] {
    const words = recordWords(records);
    const rows = words.length / CANDLE_WORDS;
    if (rows === 0) return [];
    const offsets = this.#sorted(words, rows);
    const partition = onlyPartition(words, offsets, timeframe, name);
    this.#ipc.begin(this.#schema);
    this.#ipc.write(recordBatch(this.#schema, rows, this.#columns(words, offsets, timeframe)));
    const bytes = encodeParquet(this.#ipc.end(), CANDLE_LAYOUT);
    const table = candleTable(timeframe);
    return [stageFile(this.#sink, { table, partition, name, rows, bytes })];
  }

  /** Word offset of every record, in the order of the file. */
  #sorted(words: Int32Array, rows: number): number[] {
    const place = (at: number): number => this.#place[words[at + WORD.instrument]] ?? -1;
    return Array.from({ length: rows }, (_, i) => i * CANDLE_WORDS).sort(
      (a, b) => place(a) - place(b) || startAt(words, a) - startAt(words, b),
    );
  }

  #columns(
    words: Int32Array,
    offsets: readonly number[],
    timeframe: Timeframe,
  ): Record<Name, (type: DataType) => Data> {
    const frame = TIMEFRAMES.indexOf(timeframe);
    const rows = offsets.length;
    const text = (value: (instrument: Instrument) => string) => () =>
      stringsData(
        offsets.map((at) => {
          const code = words[at + WORD.instrument];
          const instrument = this.#instruments[code];
          assert(instrument !== undefined, `candle of unknown instrument ${code}`);
          return value(instrument);
        }),
      );
    const int64 = (value: (at: number) => number) => (type: DataType) => {
      const column = new Int64Column(rows);
      for (const [i, at] of offsets.entries()) storeInt64(column.words, i, value(at));
      return column.data(type, rows);
    };
    const stored = (word: number) => int64((at) => numberAt(words, at, word));
    const int32 = (value: (at: number) => number) => (type: DataType) =>
      fixedData(type, rows, Int32Array.from(offsets, value));
    // Arrow's Decimal128 is four words, low first.
    const decimal =
      (write: (to: Int32Array, i: number, at: number) => void) => (type: DataType) => {
        const to = new Int32Array(4 * rows);
        for (let row = 0; row < rows; row++) write(to, 4 * row, offsets[row]);
        return fixedData(type, rows, to);
      };
    const price = (word: number) =>
      decimal((to, i, at) => addInt64(to, i, words[at + word], words[at + word + 1]));
    const sum = (word: number) => decimal((to, i, at) => addInt128(to, i, words, at + word));
    const flag = (bit: number) => (type: DataType) =>
      booleansData(
        type,
        offsets.map((at) => (flagsAt(words, at) & bit) !== 0),
      );
    return {
      symbol: text((instrument) => instrument.symbol),
      exchange: text((instrument) => instrument.exchange),
      window_start: stored(WORD.windowStart),
      window_end: int64((at) => windowEndAt(words, at)),
      window_date: int32((at) => dayOf(startAt(words, at))),
      open_price: price(WORD.openPrice),
      high_price: price(WORD.highPrice),
      low_price: price(WORD.lowPrice),
      close_price: price(WORD.closePrice),
      volume: sum(WORD.volume),
      trade_count: stored(WORD.tradeCount),
      vwap: decimal((to, i, at) => {
        const volume = bigInt128(words, at + WORD.volume);
        storeBigInt128(to, i, vwap(bigInt128(words, at + WORD.quoteVolume), volume));
      }),
      quote_volume: sum(WORD.quoteVolume),
      first_trade_id: stored(WORD.firstTradeId),
      last_trade_id: stored(WORD.lastTradeId),
      revision: int32((at) => Math.min(REVISION_MAX, 1 + (words[at + WORD.late + frame] >>> 0))),
      is_final: flag(FLAG_FINAL),
      is_complete: flag(FLAG_COMPLETE),
    };
  }
}

function startAt(words: Int32Array, at: number): number {
  return numberAt(words, at, WORD.windowStart);
}

function onlyPartition(
  words: Int32Array,
  offsets: readonly number[],
  timeframe: Timeframe,
  name: string,
): string {
  const frame = TIMEFRAMES.indexOf(timeframe);
  const days = new Set<number>();
  for (const at of offsets) {
    const recordFrame = timeframeAt(words, at);
    assert(recordFrame === frame, `${name}: timeframe ${recordFrame} in a ${timeframe} job`);
    days.add(dayOf(startAt(words, at)));
  }
  const partitionOf = (day: number): string =>
    timeframe === '1d' ? monthPartition('window_month', day) : dayPartition('window_date', day);
  const partitions = new Set([...days].map(partitionOf));
  assert(partitions.size === 1, `${name}: several partitions: ${[...partitions].join(', ')}`);
  return [...partitions][0] as string;
}
