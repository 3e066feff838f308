/**
 * Coinbase: `match` and `last_match` of the Exchange feed, `market_trades` of Advanced Trade (ids
 * are strings, several trades a message, newest first and kept in that order) and Exchange REST
 * pages /products/{id}/trades.
 *
 * All of them give the maker's side; the aggressor's is the other one. For Advanced Trade that is
 * what its documentation says, though other clients read it as the taker's.
 */
import { CONDITION_SNAPSHOT } from '#schemas/trade';
import { appendObjects, deadFrame, type ExchangeFormat } from '#src/exchanges/exchange-format';
import type { JsonTokenizer } from '#src/exchanges/json-tokenizer';
import {
  FRAME_CONTROL,
  FRAME_TRADES,
  type FrameClass,
  type ParsedTrades,
} from '#src/exchanges/parsed-trades';
import { ascii, equals } from '#src/exchanges/scan';
import { CoinbaseScanner } from '#src/exchanges/scan-coinbase';
import { parseRfc3339Time } from '#src/exchanges/scan-time';
import type { SymbolTable } from '#src/exchanges/symbol-table';
import {
  BUY,
  FIELD_ID,
  FIELD_PRICE,
  FIELD_QUANTITY,
  FIELD_SEQUENCE,
  FIELD_SIDE,
  FIELD_SYMBOL,
  FIELD_TIME,
  type ObjectLayout,
  SELL,
  type TradeRecord,
} from '#src/exchanges/trade-record';

const TYPE = ascii('type');
const MATCH = ascii('match');
const LAST_MATCH = ascii('last_match');
const CHANNEL = ascii('channel');
const MARKET_TRADES = ascii('market_trades');
const SEQUENCE_NUMBER = ascii('sequence_num');
const EVENTS = ascii('events');
const TRADES = ascii('trades');
const SNAPSHOT = ascii('snapshot');
const UPDATE = ascii('update');
const MESSAGE = ascii('message');

const SIDE_BUY = ascii('buy');
const SIDE_SELL = ascii('sell');
const UPPER_BUY = ascii('BUY');
const UPPER_SELL = ascii('SELL');

function readMakerSide(bytes: Uint8Array, start: number, end: number): number {
  if (equals(bytes, start, end, SIDE_SELL)) return BUY;
  return equals(bytes, start, end, SIDE_BUY) ? SELL : -1;
}

function readUpperMakerSide(bytes: Uint8Array, start: number, end: number): number {
  if (equals(bytes, start, end, UPPER_SELL)) return BUY;
  return equals(bytes, start, end, UPPER_BUY) ? SELL : -1;
}

/** A row of a page is a match without its symbol and sequence; the names are Advanced Trade's too. */
const PAGE_LAYOUT: ObjectLayout = {
  syntax: { time: parseRfc3339Time, side: readMakerSide },
  keys: [
    [FIELD_ID, ascii('trade_id')],
    [FIELD_TIME, ascii('time')],
    [FIELD_PRICE, ascii('price')],
    [FIELD_QUANTITY, ascii('size')],
    [FIELD_SIDE, ascii('side')],
  ],
};

/** An Advanced Trade row; its sequence is the message's. */
const ADVANCED_LAYOUT: ObjectLayout = {
  syntax: { time: parseRfc3339Time, side: readUpperMakerSide },
  keys: [[FIELD_SYMBOL, ascii('product_id')], ...PAGE_LAYOUT.keys],
};

const MATCH_LAYOUT: ObjectLayout = {
  syntax: PAGE_LAYOUT.syntax,
  keys: [...ADVANCED_LAYOUT.keys, [FIELD_SEQUENCE, ascii('sequence')]],
};

export class CoinbaseFormat implements ExchangeFormat {
  readonly #scanner: CoinbaseScanner;

  constructor(symbols: SymbolTable) {
    this.#scanner = new CoinbaseScanner(symbols);
  }

  scan(
    bytes: Uint8Array,
    view: DataView,
    start: number,
    end: number,
    condition: number,
    rows: ParsedTrades,
  ): boolean {
    return this.#scanner.scan(bytes, view, start, end, condition, rows);
  }

  readMessage(
    json: JsonTokenizer,
    record: TradeRecord,
    condition: number,
    rows: ParsedTrades,
  ): FrameClass {
    if (!json.isObject(0)) return deadFrame(rows, 'unrecognised_frame');
    const type = json.find(0, TYPE);
    const channel = json.find(0, CHANNEL);
    const advanced = json.isText(channel, MARKET_TRADES);
    const last = json.isText(type, LAST_MATCH);
    const exchange = last || json.isText(type, MATCH);
    if (exchange && !advanced) {
      const bits = last ? condition | CONDITION_SNAPSHOT : condition;
      record.appendObject(json, 0, MATCH_LAYOUT, rows, bits);
      return FRAME_TRADES;
    }
    if (exchange || json.repeatsKey(0)) return deadFrame(rows, 'unrecognised_frame');
    if (advanced) return readMarketTrades(json, record, condition, rows);
    const recognised = json.isString(type) || json.isString(channel);
    return recognised ? FRAME_CONTROL : deadFrame(rows, 'unrecognised_frame');
  }

  readPage(
    json: JsonTokenizer,
    record: TradeRecord,
    condition: number,
    rows: ParsedTrades,
  ): FrameClass {
    if (json.isObject(0) && json.find(0, MESSAGE) >= 0) return FRAME_CONTROL;
    if (!json.isArray(0)) return deadFrame(rows, 'unrecognised_frame');
    return appendObjects(json, 0, record, PAGE_LAYOUT, condition, rows);
  }
}

/** Every trade of every event, in the frame's order. */
function readMarketTrades(
  json: JsonTokenizer,
  record: TradeRecord,
  condition: number,
  rows: ParsedTrades,
): FrameClass {
  const events = json.find(0, EVENTS);
  if (!json.isArray(events)) return deadFrame(rows, 'unrecognised_frame');
  record.setToken(FIELD_SEQUENCE, json, json.find(0, SEQUENCE_NUMBER));
  const end = json.next[events];
  for (let event = events + 1; event < end; event = json.next[event]) {
    if (!json.isObject(event) || json.repeatsKey(event)) {
      return deadFrame(rows, 'unrecognised_frame');
    }
    const trades = json.find(event, TRADES);
    const type = json.find(event, TYPE);
    const snapshot = json.isText(type, SNAPSHOT);
    if (!json.isArray(trades) || !(snapshot || json.isText(type, UPDATE))) {
      return deadFrame(rows, 'unrecognised_frame');
    }
    const bits = snapshot ? condition | CONDITION_SNAPSHOT : condition;
    const frameClass = appendObjects(json, trades, record, ADVANCED_LAYOUT, bits, rows);
    if (frameClass !== FRAME_TRADES) return frameClass;
  }
  return FRAME_TRADES;
}
