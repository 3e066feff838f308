/**
 * Scans Binance's event as its matching engine writes it, key after key:
 *
 *   {"stream":"btcusdt@trade","data":            (combined streams only)
 *   {"e":"trade","E":1783465157897,"s":"BTCUSDT","t":6486989273,"p":"63551.02000000",
 *    "q":"0.00317000","T":1783465157897,"m":true,"M":true}
 *   }                                            (combined streams only)
 *
 * An aggTrade has "a" for "t", and "f" and "l" before "T".
 */
import { CONDITION_AGGREGATE } from '#schemas/trade';
import { scanDecimal } from '#src/base/decimal';
import type { ParsedTrades } from '#src/exchanges/parsed-trades';
import { ascii, matches, scanInteger, skipInteger, skipPlainString } from '#src/exchanges/scan';
import { parseEpochTime } from '#src/exchanges/scan-time';
import type { SymbolTable } from '#src/exchanges/symbol-table';
import { BUY, beginRow, SELL } from '#src/exchanges/trade-record';

const LOWER_S = 115;
const QUOTE = 34;
const CLOSE_BRACE = 125;

const STREAM = ascii('{"stream":"');
const DATA = ascii('","data":');
const TRADE = ascii('{"e":"trade","E":');
const AGGREGATE = ascii('{"e":"aggTrade","E":');
const SYMBOL = ascii(',"s":"');
const TRADE_ID = ascii('","t":');
const AGGREGATE_ID = ascii('","a":');
const PRICE = ascii(',"p":"');
const QUANTITY = ascii('","q":"');
const FIRST_ID = ascii('","f":');
const LAST_ID = ascii(',"l":');
const TIME_OF_TRADE = ascii('","T":');
const TIME_OF_AGGREGATE = ascii(',"T":');
const MAKER = ascii(',"m":true,"M":');
const TAKER = ascii(',"m":false,"M":');
const TRUE = ascii('true}');
const FALSE = ascii('false}');

/** The shortest trade event has more bytes than this. */
const FRAME_BYTES_MIN = 90;

export class BinanceScanner {
  readonly #symbols: SymbolTable;
  readonly #aggregate: boolean;

  constructor(symbols: SymbolTable, aggregate: boolean) {
    this.#symbols = symbols;
    this.#aggregate = aggregate;
  }

  scan(
    bytes: Uint8Array,
    start: number,
    end: number,
    condition: number,
    rows: ParsedTrades,
  ): boolean {
    if (end - start < FRAME_BYTES_MIN) return false;
    let at = start;
    const combined = bytes[start + 2] === LOWER_S;
    if (combined) {
      if (!matches(bytes, at, STREAM)) return false;
      at = skipPlainString(bytes, at + STREAM.length);
      if (at < 0 || !matches(bytes, at, DATA)) return false;
      at += DATA.length;
    }
    const aggregate = this.#aggregate;
    const row = beginRow(rows, aggregate ? condition | CONDITION_AGGREGATE : condition);
    at = this.#identity(bytes, at, rows, row);
    if (at < 0) return false;

    if (!matches(bytes, at, PRICE)) return false;
    at = scanDecimal(bytes, at + PRICE.length, rows.price, row);
    if (at < 0 || !matches(bytes, at, QUANTITY)) return false;
    at = scanDecimal(bytes, at + QUANTITY.length, rows.quantity, row);
    if (at < 0) return false;
    if (aggregate) {
      at = scanSpan(bytes, at, rows, row);
      if (at < 0) return false;
    }

    const time = aggregate ? TIME_OF_AGGREGATE : TIME_OF_TRADE;
    if (!matches(bytes, at, time)) return false;
    at += time.length;
    const timeEnd = skipInteger(bytes, at);
    if (timeEnd < 0) return false;
    const timeUs = parseEpochTime(bytes, at, timeEnd);
    if (timeUs < 0) return false;
    rows.timeUs[row] = timeUs;

    at = scanFlags(bytes, timeEnd, rows, row);
    if (combined && at >= 0) at = bytes[at] === CLOSE_BRACE ? at + 1 : -1;
    return at === end;
  }

  /** Event type, event time, symbol and id. */
  #identity(bytes: Uint8Array, start: number, rows: ParsedTrades, row: number): number {
    const event = this.#aggregate ? AGGREGATE : TRADE;
    if (!matches(bytes, start, event)) return -1;
    let at = skipInteger(bytes, start + event.length);
    if (at < 0 || !matches(bytes, at, SYMBOL)) return -1;
    const symbol = at + SYMBOL.length;
    at = symbol;
    while (bytes[at] > QUOTE) at++;
    const instrument = this.#symbols.find(bytes, symbol, at);
    if (instrument < 0) return -1;
    rows.instrument[row] = instrument;
    const id = this.#aggregate ? AGGREGATE_ID : TRADE_ID;
    return matches(bytes, at, id) ? scanInteger(bytes, at + id.length, rows.tradeId, row) : -1;
  }
}

/** The raw trade ids an aggregate spans. */
function scanSpan(bytes: Uint8Array, start: number, rows: ParsedTrades, row: number): number {
  if (!matches(bytes, start, FIRST_ID)) return -1;
  let at = scanInteger(bytes, start + FIRST_ID.length, rows.firstId, row);
  if (at < 0 || !matches(bytes, at, LAST_ID)) return -1;
  at = scanInteger(bytes, at + LAST_ID.length, rows.lastId, row);
  return rows.lastId[row] >= rows.firstId[row] ? at : -1;
}

/** `m`, the ignored `M`, and the end of the event. */
function scanFlags(bytes: Uint8Array, start: number, rows: ParsedTrades, row: number): number {
  let at = start;
  if (matches(bytes, at, MAKER)) {
    rows.side[row] = SELL;
    at += MAKER.length;
  } else if (matches(bytes, at, TAKER)) {
    rows.side[row] = BUY;
    at += TAKER.length;
  } else return -1;
  if (matches(bytes, at, TRUE)) return at + TRUE.length;
  return matches(bytes, at, FALSE) ? at + FALSE.length : -1;
}
