/**
 * Binance spot: `trade` and `aggTrade` events, bare or in a combined stream's envelope, and the
 * REST pages historicalTrades, trades and aggTrades. `m` says the buyer was the maker, so the
 * aggressor sold. Times are milliseconds or microseconds, told apart by their digits.
 *
 * `t` and `a` number two different things: a parser reads the stream it is configured for, and
 * trades of the other one are dead letters.
 */
import { CONDITION_AGGREGATE } from '#schemas/trade';
import { appendObjects, deadFrame, type ExchangeFormat } from '#src/exchanges/exchange-format';
import type { JsonTokenizer } from '#src/exchanges/json-tokenizer';
import {
  FRAME_CONTROL,
  FRAME_TRADES,
  type FrameClass,
  type ParsedTrades,
} from '#src/exchanges/parsed-trades';
import { ascii, equals } from '#src/exchanges/scan';
import { BinanceScanner } from '#src/exchanges/scan-binance';
import { parseEpochTime } from '#src/exchanges/scan-time';
import type { SymbolTable } from '#src/exchanges/symbol-table';
import {
  appendMalformed,
  BUY,
  FIELD_FIRST_ID,
  FIELD_ID,
  FIELD_LAST_ID,
  FIELD_PRICE,
  FIELD_QUANTITY,
  FIELD_SIDE,
  FIELD_SYMBOL,
  FIELD_TIME,
  type ObjectLayout,
  SELL,
  type TradeRecord,
} from '#src/exchanges/trade-record';

/** Which of the two id spaces a data directory holds. */
export type BinanceStreamKind = 'trade' | 'aggTrade';

const STREAM = ascii('stream');
const DATA = ascii('data');
const EVENT = ascii('e');
const TRADE = ascii('trade');
const AGGREGATE = ascii('aggTrade');
const TRADE_STREAM = '@trade';
const AGGREGATE_STREAM = '@aggTrade';
const ID = ascii('id');
const AGGREGATE_ID = ascii('a');
const CODE = ascii('code');
/** Keys of messages that have no event type: answers, errors, partial book and book ticker. */
const CONTROL_KEYS = ['result', 'error', 'code', 'lastUpdateId', 'u'].map(ascii);

const TRUE = ascii('true');
const FALSE = ascii('false');

function readBuyerMaker(bytes: Uint8Array, start: number, end: number): number {
  if (equals(bytes, start, end, TRUE)) return SELL;
  return equals(bytes, start, end, FALSE) ? BUY : -1;
}

const syntax = { time: parseEpochTime, side: readBuyerMaker };

const EVENT_LAYOUT: ObjectLayout = {
  syntax,
  keys: [
    [FIELD_SYMBOL, ascii('s')],
    [FIELD_ID, ascii('t')],
    [FIELD_TIME, ascii('T')],
    [FIELD_PRICE, ascii('p')],
    [FIELD_QUANTITY, ascii('q')],
    [FIELD_SIDE, ascii('m')],
  ],
};

/** REST rows of aggregates are the events without symbol. */
const AGGREGATE_ROW_LAYOUT: ObjectLayout = {
  syntax,
  keys: [
    [FIELD_ID, AGGREGATE_ID],
    [FIELD_TIME, ascii('T')],
    [FIELD_PRICE, ascii('p')],
    [FIELD_QUANTITY, ascii('q')],
    [FIELD_SIDE, ascii('m')],
    [FIELD_FIRST_ID, ascii('f')],
    [FIELD_LAST_ID, ascii('l')],
  ],
};

const AGGREGATE_EVENT_LAYOUT: ObjectLayout = {
  syntax,
  keys: [[FIELD_SYMBOL, ascii('s')], ...AGGREGATE_ROW_LAYOUT.keys],
};

const ROW_LAYOUT: ObjectLayout = {
  syntax,
  keys: [
    [FIELD_ID, ID],
    [FIELD_TIME, ascii('time')],
    [FIELD_PRICE, ascii('price')],
    [FIELD_QUANTITY, ascii('qty')],
    [FIELD_SIDE, ascii('isBuyerMaker')],
  ],
};

export class BinanceFormat implements ExchangeFormat {
  readonly #aggregate: boolean;
  readonly #scanner: BinanceScanner;

  constructor(symbols: SymbolTable, streamKind: BinanceStreamKind) {
    this.#aggregate = streamKind === 'aggTrade';
    this.#scanner = new BinanceScanner(symbols, this.#aggregate);
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
    const stream = json.find(0, STREAM);
    if (stream < 0) return this.#event(json, 0, record, condition, rows);

    const data = json.find(0, DATA);
    const bare = json.find(0, EVENT) >= 0;
    if (!json.isString(stream) || data < 0 || bare || json.repeatsKey(0)) {
      return deadFrame(rows, 'unrecognised_frame');
    }
    const trades = endsWith(json, stream, this.#aggregate ? AGGREGATE_STREAM : TRADE_STREAM);
    const otherTrades = endsWith(json, stream, this.#aggregate ? TRADE_STREAM : AGGREGATE_STREAM);
    if (json.isObject(data)) {
      if (json.find(data, EVENT) >= 0) return this.#event(json, data, record, condition, rows);
    } else if (trades) {
      appendMalformed(rows, this.#condition(condition));
      return FRAME_TRADES;
    }
    // No event type: the stream's name says that this is, say, a book ticker.
    return trades || otherTrades ? deadFrame(rows, 'unrecognised_frame') : FRAME_CONTROL;
  }

  #event(
    json: JsonTokenizer,
    object: number,
    record: TradeRecord,
    condition: number,
    rows: ParsedTrades,
  ): FrameClass {
    const event = json.find(object, EVENT);
    if (json.isText(event, this.#aggregate ? AGGREGATE : TRADE)) {
      const layout = this.#aggregate ? AGGREGATE_EVENT_LAYOUT : EVENT_LAYOUT;
      record.appendObject(json, object, layout, rows, this.#condition(condition));
      return FRAME_TRADES;
    }
    if (json.isText(event, this.#aggregate ? TRADE : AGGREGATE)) {
      return deadFrame(rows, 'wrong_stream_kind');
    }
    const recognised =
      json.isString(event) ||
      (event < 0 && CONTROL_KEYS.some((key) => json.find(object, key) >= 0));
    if (!recognised || json.repeatsKey(object)) return deadFrame(rows, 'unrecognised_frame');
    return FRAME_CONTROL;
  }

  readPage(
    json: JsonTokenizer,
    record: TradeRecord,
    condition: number,
    rows: ParsedTrades,
  ): FrameClass {
    if (json.isObject(0) && json.find(0, CODE) >= 0) return FRAME_CONTROL;
    if (!json.isArray(0)) return deadFrame(rows, 'unrecognised_frame');
    // Both kinds of page are arrays of objects; the first row's id key tells them apart.
    if (json.count > 1 && json.isObject(1)) {
      const own = json.find(1, this.#aggregate ? AGGREGATE_ID : ID) >= 0;
      const other = json.find(1, this.#aggregate ? ID : AGGREGATE_ID) >= 0;
      if (other && !own) return deadFrame(rows, 'wrong_stream_kind');
    }
    const layout = this.#aggregate ? AGGREGATE_ROW_LAYOUT : ROW_LAYOUT;
    return appendObjects(json, 0, record, layout, this.#condition(condition), rows);
  }

  #condition(condition: number): number {
    return this.#aggregate ? condition | CONDITION_AGGREGATE : condition;
  }
}

function endsWith(json: JsonTokenizer, token: number, suffix: string): boolean {
  const source = json.source(token);
  const end = json.textEnd(token);
  const start = end - suffix.length;
  if (start < json.textStart(token)) return false;
  for (let i = 0; i < suffix.length; i++) {
    if (source[start + i] !== suffix.charCodeAt(i)) return false;
  }
  return true;
}
