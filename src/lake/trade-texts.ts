/** The text columns of a trade that differ from row to row, written straight into UTF-8 buffers. */
import {
  type DataType,
  type Field,
  type List,
  type Map_,
  makeData,
  type Struct,
} from 'apache-arrow';
import { EXCHANGES } from '#schemas/exchange';
import type { Instrument } from '#schemas/instrument';
import { CONDITION_AGGREGATE, TRADE_CONDITIONS } from '#schemas/trade';
import { loadInt64 } from '#src/base/int64';
import type { TradeBatch } from '#src/columns/trade-batch';
import { stringsData, textData } from '#src/lake/arrow-buffers';
import { DIGITS_MAX, writeDecimal } from '#src/lake/decimal-text';
import { GATHER_ROWS, type Gather } from '#src/lake/gather';
import {
  MESSAGE_ID_BYTES,
  MESSAGE_ID_WORDS,
  messageIdPrefix,
  writeMessageId,
} from '#src/trades/message-id';

export function gatherMessageIds(instruments: readonly Instrument[]): Gather {
  const prefixes: Uint32Array[] = [];
  for (const { code, exchange, symbol } of instruments) {
    prefixes[code] = messageIdPrefix(exchange, symbol);
  }
  const words = new Uint32Array(MESSAGE_ID_WORDS * GATHER_ROWS);
  const bytes = new Uint8Array(words.buffer);
  const offsets = new Int32Array(GATHER_ROWS + 1).map((_, i) => MESSAGE_ID_BYTES * i);
  return ({ instrument, tradeId }, order) => {
    writeMessageIds(prefixes, instrument, tradeId, order, words);
    return textData(order.length, offsets, bytes);
  };
}

function writeMessageIds(
  prefixes: readonly Uint32Array[],
  instrument: Int32Array,
  tradeId: Int32Array,
  order: Int32Array,
  words: Uint32Array,
): void {
  for (let i = 0; i < order.length; i++) {
    const row = order[i];
    const prefix = prefixes[instrument[row]];
    writeMessageId(words, MESSAGE_ID_WORDS * i, prefix, tradeId[2 * row], tradeId[2 * row + 1]);
  }
}

/** `BINANCE-123`. */
export function gatherTradeIds(instruments: readonly Instrument[]): Gather {
  const prefixes: Uint8Array[] = [];
  for (const { code, exchange } of instruments) {
    prefixes[code] = new Uint8Array(Buffer.from(`${exchange}-`));
  }
  const prefixMax = Math.max(...EXCHANGES.map((exchange) => exchange.length + 1));
  const bytes = new Uint8Array((prefixMax + DIGITS_MAX) * GATHER_ROWS);
  const offsets = new Int32Array(GATHER_ROWS + 1);
  return ({ instrument, tradeId }, order) => {
    writeTradeIds(prefixes, instrument, tradeId, order, offsets, bytes);
    return textData(order.length, offsets, bytes);
  };
}

function writeTradeIds(
  prefixes: readonly Uint8Array[],
  instrument: Int32Array,
  tradeId: Int32Array,
  order: Int32Array,
  offsets: Int32Array,
  bytes: Uint8Array,
): void {
  let at = 0;
  for (let i = 0; i < order.length; i++) {
    const row = order[i];
    const prefix = prefixes[instrument[row]];
    for (let k = 0; k < prefix.length; k++) bytes[at++] = prefix[k];
    at = writeDecimal(bytes, at, loadInt64(tradeId, row));
    offsets[i + 1] = at;
  }
}

/** Bit i of the condition byte puts name i into the list. */
export function gatherConditions(type: DataType): Gather {
  const offsets = new Int32Array(GATHER_ROWS + 1);
  const names = TRADE_CONDITIONS.map((name) => new Uint8Array(Buffer.from(name)));
  const nameOffsets = new Int32Array(names.length * GATHER_ROWS + 1);
  const bytes = new Uint8Array(names.reduce((sum, { length }) => sum + length, 0) * GATHER_ROWS);
  /** Answers how many names there are in all. */
  const writeNames = (condition: Uint8Array, order: Int32Array): number => {
    let elements = 0;
    let at = 0;
    for (let i = 0; i < order.length; i++) {
      const bits = condition[order[i]];
      for (let code = 0; bits >>> code !== 0; code++) {
        if (((bits >>> code) & 1) === 0) continue;
        const name = names[code];
        for (let k = 0; k < name.length; k++) bytes[at++] = name[k];
        nameOffsets[++elements] = at;
      }
      offsets[i + 1] = elements;
    }
    return elements;
  };
  return (batch, order) => {
    const elements = writeNames(batch.condition, order);
    return makeData({
      type: type as List,
      length: order.length,
      nullCount: 0,
      valueOffsets: offsets.subarray(0, order.length + 1),
      child: textData(elements, nameOffsets, bytes),
    });
  };
}

/** first_trade_id and last_trade_id of an aggregate trade; empty for every other. */
export function gatherVendorData(type: DataType): Gather {
  const entry = ((type as Map_).children[0] as Field<Struct>).type;
  // The keys of all rows there can be: they are the same in every batch.
  const keys = stringsData(Array(GATHER_ROWS).fill(['first_trade_id', 'last_trade_id']).flat());
  const offsets = new Int32Array(GATHER_ROWS + 1);
  const valueOffsets = new Int32Array(2 * GATHER_ROWS + 1);
  const bytes = new Uint8Array(2 * DIGITS_MAX * GATHER_ROWS);
  /** Answers how many entries there are in all. */
  const writeEntries = ({ condition, firstId, lastId }: TradeBatch, order: Int32Array): number => {
    let entries = 0;
    let at = 0;
    for (let i = 0; i < order.length; i++) {
      const row = order[i];
      if (condition[row] & CONDITION_AGGREGATE) {
        at = writeDecimal(bytes, at, loadInt64(firstId, row));
        valueOffsets[++entries] = at;
        at = writeDecimal(bytes, at, loadInt64(lastId, row));
        valueOffsets[++entries] = at;
      }
      offsets[i + 1] = entries;
    }
    return entries;
  };
  return (batch, order) => {
    const entries = writeEntries(batch, order);
    const children = [
      textData(entries, keys.valueOffsets, keys.values),
      textData(entries, valueOffsets, bytes),
    ];
    return makeData({
      type: type as Map_,
      length: order.length,
      nullCount: 0,
      valueOffsets: offsets.subarray(0, order.length + 1),
      child: makeData({ type: entry, length: entries, nullCount: 0, children }),
    } as never);
  };
}
