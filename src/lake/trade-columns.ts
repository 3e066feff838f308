/**
 * Trades from a batch to the 17 columns of schemas/trade.ts, column by column, in a given order.
 * No object, BigInt or string per row: words are copied, texts are written by table
 * (trade-texts.ts).
 *
 * A `Gather` owns the memory of its column and overwrites it every time. GATHER_ROWS rows of all
 * columns take 2 MB: they are still in the cache when they are copied into the IPC stream.
 *
 * Every loop is a function that does nothing else: V8 compiles a hot loop while it runs, and what
 * followed it in the same function would not have run yet, so that its end would undo the work.
 */
import type { DataType, RecordBatch, Schema } from 'apache-arrow';
import { EXCHANGES, exchangeCode } from '#schemas/exchange';
import type { Instrument } from '#schemas/instrument';
import { SIDES, TRADE } from '#schemas/trade';
import type { TradeBatch } from '#src/columns/trade-batch';
import { CodedColumn, fixedData, Int64Column, structBatch } from '#src/lake/arrow-buffers';
import { arrowSchema } from '#src/lake/arrow-schema';
import { GATHER_ROWS, type Gather } from '#src/lake/gather';
import type { SymbolOrder } from '#src/lake/trade-order';
import {
  gatherConditions,
  gatherMessageIds,
  gatherTradeIds,
  gatherVendorData,
} from '#src/lake/trade-texts';

type Name = (typeof TRADE.columns)[number]['name'];

export const TRADE_DICTIONARIES: readonly Name[] = [
  'symbol',
  'exchange',
  'asset_class',
  'currency',
  'side',
];

/** log2 of TRADES_PER_FRAME_MAX: platform_sequence = frame sequence << 17 | index in the frame. */
const FRAME_INDEX_BITS = 17;

export class TradeColumns {
  readonly schema: Schema = arrowSchema(TRADE, TRADE_DICTIONARIES);
  readonly #gathers: readonly Gather[];

  constructor(instruments: readonly Instrument[], symbols: SymbolOrder) {
    const currencies = [...new Set(instruments.map((i) => i.quoteAsset))];
    const byInstrument = (value: (instrument: Instrument) => number): Int16Array => {
      const codes = new Int16Array(symbols.place.length);
      for (const instrument of instruments) codes[instrument.code] = value(instrument);
      return codes;
    };
    const columns: Record<Name, (type: DataType) => Gather> = {
      message_id: () => gatherMessageIds(instruments),
      trade_id: () => gatherTradeIds(instruments),
      symbol: (type) => gatherCoded(type, symbols.symbols, Int16Array.from(symbols.symbol)),
      exchange: (type) =>
        gatherCoded(
          type,
          EXCHANGES,
          byInstrument((i) => exchangeCode(i.exchange)),
        ),
      asset_class: (type) =>
        gatherCoded(
          type,
          ['crypto'],
          byInstrument(() => 0),
        ),
      timestamp: (type) => gatherInt64(type, (batch) => batch.time),
      price: (type) => gatherDecimal(type, (batch) => batch.price),
      quantity: (type) => gatherDecimal(type, (batch) => batch.quantity),
      currency: (type) =>
        gatherCoded(
          type,
          currencies,
          byInstrument((i) => currencies.indexOf(i.quoteAsset)),
        ),
      side: gatherSide,
      trade_conditions: gatherConditions,
      source_sequence: gatherSourceSequence,
      ingestion_timestamp: (type) => gatherInt64(type, (batch) => batch.receiveTime),
      platform_sequence: gatherPlatformSequence,
      vendor_data: gatherVendorData,
      exchange_date: (type) => gatherHour(type, (hour) => Math.floor(hour / 24)),
      exchange_hour: (type) => gatherHour(type, (hour) => hour - 24 * Math.floor(hour / 24)),
    };
    this.#gathers = this.schema.fields.map((field) => columns[field.name as Name](field.type));
  }

  /**
   * Rows `order` of the batch, at most GATHER_ROWS, all of hour `hour` since the epoch. The answer
   * is a view over memory that the next call overwrites.
   */
  gather(batch: TradeBatch, order: Int32Array, hour: number): RecordBatch {
    const children = this.#gathers.map((gather) => gather(batch, order, hour));
    return structBatch(this.schema, order.length, children);
  }
}

/** A text that the instrument decides: `codes[instrument]` is its index in `values`. */
function gatherCoded(type: DataType, values: readonly string[], codes: Int16Array): Gather {
  const column = new CodedColumn(GATHER_ROWS, values);
  return (batch, order) => {
    lookUp(codes, batch.instrument, order, column.codes);
    return column.data(type, order.length);
  };
}

function lookUp(
  codes: Int16Array,
  instrument: Int32Array,
  order: Int32Array,
  to: Int16Array,
): void {
  for (let i = 0; i < order.length; i++) to[i] = codes[instrument[order[i]]];
}

function gatherSide(type: DataType): Gather {
  const column = new CodedColumn(GATHER_ROWS, SIDES);
  return (batch, order) => {
    copyBytes(batch.side, order, column.codes);
    return column.data(type, order.length);
  };
}

function copyBytes(from: Uint8Array, order: Int32Array, to: Int16Array): void {
  for (let i = 0; i < order.length; i++) to[i] = from[order[i]];
}

function gatherInt64(type: DataType, words: (batch: TradeBatch) => Int32Array): Gather {
  const column = new Int64Column(GATHER_ROWS);
  return (batch, order) => {
    copyPairs(words(batch), order, column.words);
    return column.data(type, order.length);
  };
}

function copyPairs(from: Int32Array, order: Int32Array, to: Int32Array): void {
  for (let i = 0; i < order.length; i++) {
    const row = order[i];
    to[2 * i] = from[2 * row];
    to[2 * i + 1] = from[2 * row + 1];
  }
}

/** Arrow's Decimal128 is four words; prices and quantities are below 10^18: two, sign-extended. */
function gatherDecimal(type: DataType, words: (batch: TradeBatch) => Int32Array): Gather {
  const to = new Int32Array(4 * GATHER_ROWS);
  return (batch, order) => {
    widenPairs(words(batch), order, to);
    return fixedData(type, order.length, to.subarray(0, 4 * order.length));
  };
}

function widenPairs(from: Int32Array, order: Int32Array, to: Int32Array): void {
  for (let i = 0; i < order.length; i++) {
    const row = order[i];
    const high = from[2 * row + 1];
    to[4 * i] = from[2 * row];
    to[4 * i + 1] = high;
    to[4 * i + 2] = high >> 31;
    to[4 * i + 3] = high >> 31;
  }
}

/** -1 is null. */
function gatherSourceSequence(type: DataType): Gather {
  const column = new Int64Column(GATHER_ROWS);
  const valid = new Uint8Array(GATHER_ROWS / 8);
  return (batch, order) => {
    copyPairs(batch.sourceSequence, order, column.words);
    valid.fill(0);
    const nulls = markValid(column.words, order.length, valid);
    return column.data(type, order.length, nulls, valid);
  };
}

/** Sets the bit of every pair that is not negative; answers how many are. */
function markValid(words: Int32Array, rows: number, valid: Uint8Array): number {
  let nulls = 0;
  for (let i = 0; i < rows; i++) {
    if (words[2 * i + 1] < 0) nulls++;
    else valid[i >>> 3] |= 1 << (i & 7);
  }
  return nulls;
}

function gatherPlatformSequence(type: DataType): Gather {
  const column = new Int64Column(GATHER_ROWS);
  return (batch, order) => {
    joinSequences(batch.frameSequence, batch.frameIndex, order, column.words);
    return column.data(type, order.length);
  };
}

function joinSequences(
  frame: Int32Array,
  index: Int32Array,
  order: Int32Array,
  to: Int32Array,
): void {
  for (let i = 0; i < order.length; i++) {
    const row = order[i];
    const low = frame[2 * row];
    to[2 * i] = (low << FRAME_INDEX_BITS) | index[row];
    to[2 * i + 1] = (frame[2 * row + 1] << FRAME_INDEX_BITS) | (low >>> (32 - FRAME_INDEX_BITS));
  }
}

/** One value for all rows: what the partition's hour makes it. */
function gatherHour(type: DataType, value: (hour: number) => number): Gather {
  const column = new Int32Array(GATHER_ROWS);
  return (_batch, order, hour) => {
    column.fill(value(hour), 0, order.length);
    return fixedData(type, order.length, column.subarray(0, order.length));
  };
}
