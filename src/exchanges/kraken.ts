/**
 * Kraken spot: the `trade` channel of WebSocket v2 (snapshot and update, several trades a message)
 * and REST Trades pages, whose rows are arrays and whose pair is the one the tag names (the key in
 * the answer is Kraken's own name for it). Sides are the taker's.
 *
 * WebSocket v1 trades carry no id, so there is nothing to tell one from another by: its messages
 * other than trades are recognised, its arrays are not.
 */
import {
  CONDITION_LIMIT_ORDER,
  CONDITION_MARKET_ORDER,
  CONDITION_SNAPSHOT,
  TRADES_PER_FRAME_MAX,
} from '#schemas/trade';
import { appendObjects, deadFrame, type ExchangeFormat } from '#src/exchanges/exchange-format';
import type { JsonTokenizer } from '#src/exchanges/json-tokenizer';
import {
  FRAME_CONTROL,
  FRAME_TRADES,
  type FrameClass,
  type ParsedTrades,
} from '#src/exchanges/parsed-trades';
import { ascii, equals } from '#src/exchanges/scan';
import { KrakenScanner } from '#src/exchanges/scan-kraken';
import { parseRfc3339Time, parseSecondsTime } from '#src/exchanges/scan-time';
import type { SymbolTable } from '#src/exchanges/symbol-table';
import {
  appendMalformed,
  BUY,
  FIELD_ID,
  FIELD_ORDER_TYPE,
  FIELD_PRICE,
  FIELD_QUANTITY,
  FIELD_SIDE,
  FIELD_SYMBOL,
  FIELD_TIME,
  type FieldReader,
  type ObjectLayout,
  SELL,
  type TradeRecord,
  type TradeSyntax,
} from '#src/exchanges/trade-record';

const CHANNEL = ascii('channel');
const TRADE = ascii('trade');
const TYPE = ascii('type');
const UPDATE = ascii('update');
const SNAPSHOT = ascii('snapshot');
const DATA = ascii('data');
const ERROR = ascii('error');
const RESULT = ascii('result');
const LAST = ascii('last');
/** Keys of messages that belong to no channel: answers and errors, of v2 and of v1. */
const CONTROL_KEYS = ['method', 'error', 'event', 'errorMessage'].map(ascii);

/** A reader of two words. */
function readWord(one: string, oneValue: number, two: string, twoValue: number, other: number) {
  const oneText = ascii(one);
  const twoText = ascii(two);
  const reader: FieldReader = (bytes, start, end) => {
    if (equals(bytes, start, end, oneText)) return oneValue;
    return equals(bytes, start, end, twoText) ? twoValue : other;
  };
  return reader;
}

const MESSAGE_LAYOUT: ObjectLayout = {
  syntax: {
    time: parseRfc3339Time,
    side: readWord('buy', BUY, 'sell', SELL, -1),
    orderType: readWord('market', CONDITION_MARKET_ORDER, 'limit', CONDITION_LIMIT_ORDER, 0),
  },
  keys: [
    [FIELD_SYMBOL, ascii('symbol')],
    [FIELD_ID, ascii('trade_id')],
    [FIELD_TIME, ascii('timestamp')],
    [FIELD_PRICE, ascii('price')],
    [FIELD_QUANTITY, ascii('qty')],
    [FIELD_SIDE, ascii('side')],
    [FIELD_ORDER_TYPE, ascii('ord_type')],
  ],
};

const PAGE_SYNTAX: TradeSyntax = {
  time: parseSecondsTime,
  side: readWord('b', BUY, 's', SELL, -1),
  orderType: readWord('m', CONDITION_MARKET_ORDER, 'l', CONDITION_LIMIT_ORDER, 0),
};

/** Fields of a page's row, `[price, volume, time, side, order type, misc, trade id]`. */
const PAGE_FIELDS = [
  FIELD_PRICE,
  FIELD_QUANTITY,
  FIELD_TIME,
  FIELD_SIDE,
  FIELD_ORDER_TYPE,
  -1,
  FIELD_ID,
] as const;

export class KrakenFormat implements ExchangeFormat {
  readonly controlText = ascii('CloudFlare WebSocket proxy restarting');
  readonly #scanner: KrakenScanner;

  constructor(symbols: SymbolTable) {
    this.#scanner = new KrakenScanner(symbols);
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
    if (!json.isObject(0) || json.repeatsKey(0)) return deadFrame(rows, 'unrecognised_frame');
    const channel = json.find(0, CHANNEL);
    if (json.isText(channel, TRADE)) {
      const type = json.find(0, TYPE);
      const data = json.find(0, DATA);
      const snapshot = json.isText(type, SNAPSHOT);
      if (!json.isArray(data) || !(snapshot || json.isText(type, UPDATE))) {
        return deadFrame(rows, 'unrecognised_frame');
      }
      const bits = snapshot ? condition | CONDITION_SNAPSHOT : condition;
      return appendObjects(json, data, record, MESSAGE_LAYOUT, bits, rows);
    }
    const recognised =
      json.isString(channel) || (channel < 0 && CONTROL_KEYS.some((key) => json.find(0, key) >= 0));
    return recognised ? FRAME_CONTROL : deadFrame(rows, 'unrecognised_frame');
  }

  readPage(
    json: JsonTokenizer,
    record: TradeRecord,
    condition: number,
    rows: ParsedTrades,
  ): FrameClass {
    if (!json.isObject(0) || json.repeatsKey(0)) return deadFrame(rows, 'unrecognised_frame');
    const trades = pageTrades(json);
    if (trades < 0) {
      const error = json.find(0, ERROR);
      const failed = json.isArray(error) && json.next[error] > error + 1;
      return failed ? FRAME_CONTROL : deadFrame(rows, 'unrecognised_frame');
    }
    const end = json.next[trades];
    for (let row = trades + 1; row < end; row = json.next[row]) {
      if (rows.count === TRADES_PER_FRAME_MAX) return deadFrame(rows, 'unrecognised_frame');
      if (json.isArray(row)) appendPageRow(json, row, record, condition, rows);
      else appendMalformed(rows, condition);
    }
    return FRAME_TRADES;
  }
}

/** The array under the one key of `result` that is not `last`, or -1. */
function pageTrades(json: JsonTokenizer): number {
  const result = json.find(0, RESULT);
  if (!json.isObject(result)) return -1;
  let trades = -1;
  const end = json.next[result];
  for (let key = result + 1; key < end; key = json.next[key + 1]) {
    if (json.isText(key, LAST)) continue;
    if (trades >= 0 || !json.isArray(key + 1)) return -1;
    trades = key + 1;
  }
  return trades;
}

function appendPageRow(
  json: JsonTokenizer,
  row: number,
  record: TradeRecord,
  condition: number,
  rows: ParsedTrades,
): void {
  const end = json.next[row];
  let token = row + 1;
  for (const field of PAGE_FIELDS) {
    const present = token < end;
    if (field >= 0) record.setToken(field, json, present ? token : -1);
    if (present) token = json.next[token];
  }
  record.append(PAGE_SYNTAX, rows, condition);
}
