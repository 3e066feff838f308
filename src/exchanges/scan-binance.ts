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
import { FixedText, scanInteger, skipInteger, skipPlainString } from '#src/exchanges/scan';
import { scanEpochTime } from '#src/exchanges/scan-time';
import type { SymbolTable } from '#src/exchanges/symbol-table';
import { BUY, beginRow, SELL } from '#src/exchanges/trade-record';

const LOWER_S = 115;
const CLOSE_BRACE = 125;

const STREAM = new FixedText('{"stream":"');
const DATA = new FixedText('","data":');
const TRADE = new FixedText('{"e":"trade","E":');
const AGGREGATE = new FixedText('{"e":"aggTrade","E":');
const SYMBOL = new FixedText(',"s":"');
const TRADE_ID = new FixedText('","t":');
const AGGREGATE_ID = new FixedText('","a":');
const PRICE = new FixedText(',"p":"');
const QUANTITY = new FixedText('","q":"');
const FIRST_ID = new FixedText('","f":');
const LAST_ID = new FixedText(',"l":');
const TIME_OF_TRADE = new FixedText('","T":');
const TIME_OF_AGGREGATE = new FixedText(',"T":');
const MAKER = new FixedText(',"m":true,"M":');
const TAKER = new FixedText(',"m":false,"M":');
const TRUE = new FixedText('true}');
const FALSE = new FixedText('false}');

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
    view: DataView,
    start: number,
    end: number,
    condition: number,
    rows: ParsedTrades,
  ): boolean {
    if (end - start < FRAME_BYTES_MIN) return false;
    let at = start;
    const combined = bytes[start + 2] === LOWER_S;
    if (combined) {
      if (!STREAM.isAt(view, at)) return false;
      at = skipPlainString(bytes, at + STREAM.length);
      if (at < 0 || !DATA.isAt(view, at)) return false;
      at += DATA.length;
    }
    const aggregate = this.#aggregate;
    const row = beginRow(rows, aggregate ? condition | CONDITION_AGGREGATE : condition);
    at = this.#identity(bytes, view, at, rows, row);
    if (at < 0) return false;

    if (!PRICE.isAt(view, at)) return false;
    at = scanDecimal(bytes, at + PRICE.length, rows.price, row);
    if (at < 0 || !QUANTITY.isAt(view, at)) return false;
    at = scanDecimal(bytes, at + QUANTITY.length, rows.quantity, row);
    if (at < 0) return false;
    if (aggregate) {
      at = scanSpan(bytes, view, at, rows, row);
      if (at < 0) return false;
    }

    const time = aggregate ? TIME_OF_AGGREGATE : TIME_OF_TRADE;
    if (!time.isAt(view, at)) return false;
    at += time.length;
    at = scanEpochTime(bytes, at, rows.timeUs, row);
    if (at < 0) return false;

    at = scanFlags(view, at, rows, row);
    if (combined && at >= 0) at = bytes[at] === CLOSE_BRACE ? at + 1 : -1;
    return at === end;
  }

  /** Event type, event time, symbol and id. */
  #identity(
    bytes: Uint8Array,
    view: DataView,
    start: number,
    rows: ParsedTrades,
    row: number,
  ): number {
    const event = this.#aggregate ? AGGREGATE : TRADE;
    if (!event.isAt(view, start)) return -1;
    let at = skipInteger(bytes, start + event.length);
    if (at < 0 || !SYMBOL.isAt(view, at)) return -1;
    at = this.#symbols.scan(bytes, at + SYMBOL.length, rows.instrument, row);
    if (at < 0) return -1;
    const id = this.#aggregate ? AGGREGATE_ID : TRADE_ID;
    return id.isAt(view, at) ? scanInteger(bytes, at + id.length, rows.tradeId, row) : -1;
  }
}

/** The raw trade ids an aggregate spans. */
function scanSpan(
  bytes: Uint8Array,
  view: DataView,
  start: number,
  rows: ParsedTrades,
  row: number,
): number {
  if (!FIRST_ID.isAt(view, start)) return -1;
  let at = scanInteger(bytes, start + FIRST_ID.length, rows.firstId, row);
  if (at < 0 || !LAST_ID.isAt(view, at)) return -1;
  at = scanInteger(bytes, at + LAST_ID.length, rows.lastId, row);
  return rows.lastId[row] >= rows.firstId[row] ? at : -1;
}

/** `m`, the ignored `M`, and the end of the event. */
function scanFlags(view: DataView, start: number, rows: ParsedTrades, row: number): number {
  let at = start;
  if (MAKER.isAt(view, at)) {
    rows.side[row] = SELL;
    at += MAKER.length;
  } else if (TAKER.isAt(view, at)) {
    rows.side[row] = BUY;
    at += TAKER.length;
  } else return -1;
  if (TRUE.isAt(view, at)) return at + TRUE.length;
  return FALSE.isAt(view, at) ? at + FALSE.length : -1;
}
