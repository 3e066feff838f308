/**
 * Scans Kraken's WebSocket v2 trade message in the key order Kraken writes:
 *
 *   {"channel":"trade","type":"update","data":[{"symbol":"ETH/USD","side":"buy","price":1774.14,
 *    "qty":0.00147959,"ord_type":"limit","trade_id":64175815,
 *    "timestamp":"2026-07-07T23:00:04.585581Z"}, ...]}
 *
 * Price and quantity are JSON numbers, read from their digits.
 */
import { CONDITION_LIMIT_ORDER, CONDITION_MARKET_ORDER, CONDITION_SNAPSHOT } from '#schemas/trade';
import { scanDecimal } from '#src/base/decimal';
import type { ParsedTrades } from '#src/exchanges/parsed-trades';
import { ascii, matches, scanInteger } from '#src/exchanges/scan';
import { parseRfc3339Time } from '#src/exchanges/scan-time';
import type { SymbolTable } from '#src/exchanges/symbol-table';
import { BUY, beginRow, SELL } from '#src/exchanges/trade-record';

const QUOTE = 34;
const COMMA = 44;

const HEAD = ascii('{"channel":"trade","type":"');
const UPDATE = ascii('update","data":[');
const SNAPSHOT = ascii('snapshot","data":[');
const SYMBOL = ascii('{"symbol":"');
const BUYS = ascii('","side":"buy","price":');
const SELLS = ascii('","side":"sell","price":');
const QUANTITY = ascii(',"qty":');
const LIMIT = ascii(',"ord_type":"limit","trade_id":');
const MARKET = ascii(',"ord_type":"market","trade_id":');
const TIME = ascii(',"timestamp":"');
const TRADE_END = ascii('"}');
const TAIL = ascii(']}');

/** `2026-07-07T23:00:04.585581Z`: Kraken always writes six decimals. */
const TIME_LENGTH = 27;
/** The shortest message with a trade has more bytes than this. */
const FRAME_BYTES_MIN = 150;

export class KrakenScanner {
  readonly #symbols: SymbolTable;

  constructor(symbols: SymbolTable) {
    this.#symbols = symbols;
  }

  scan(
    bytes: Uint8Array,
    start: number,
    end: number,
    condition: number,
    rows: ParsedTrades,
  ): boolean {
    if (end - start < FRAME_BYTES_MIN || !matches(bytes, start, HEAD)) return false;
    let at = start + HEAD.length;
    let bits = condition;
    if (matches(bytes, at, UPDATE)) at += UPDATE.length;
    else if (matches(bytes, at, SNAPSHOT)) {
      at += SNAPSHOT.length;
      bits |= CONDITION_SNAPSHOT;
    } else return false;
    for (;;) {
      at = this.#trade(bytes, at, bits, rows);
      if (at < 0 || at > end) return false;
      if (bytes[at] !== COMMA) break;
      at++;
    }
    return matches(bytes, at, TAIL) && at + TAIL.length === end;
  }

  #trade(bytes: Uint8Array, start: number, condition: number, rows: ParsedTrades): number {
    if (!matches(bytes, start, SYMBOL)) return -1;
    const row = beginRow(rows, condition);
    const symbol = start + SYMBOL.length;
    let at = symbol;
    while (bytes[at] > QUOTE) at++;
    const instrument = this.#symbols.find(bytes, symbol, at);
    if (instrument < 0) return -1;
    rows.instrument[row] = instrument;

    if (matches(bytes, at, BUYS)) {
      rows.side[row] = BUY;
      at += BUYS.length;
    } else if (matches(bytes, at, SELLS)) {
      rows.side[row] = SELL;
      at += SELLS.length;
    } else return -1;
    at = scanDecimal(bytes, at, rows.price, row);
    if (at < 0 || !matches(bytes, at, QUANTITY)) return -1;
    at = scanDecimal(bytes, at + QUANTITY.length, rows.quantity, row);
    if (at < 0) return -1;
    return scanRest(bytes, at, rows, row);
  }
}

/** From the order type to the end of the trade. */
function scanRest(bytes: Uint8Array, start: number, rows: ParsedTrades, row: number): number {
  let at = start;
  if (matches(bytes, at, LIMIT)) {
    rows.condition[row] |= CONDITION_LIMIT_ORDER;
    at += LIMIT.length;
  } else if (matches(bytes, at, MARKET)) {
    rows.condition[row] |= CONDITION_MARKET_ORDER;
    at += MARKET.length;
  } else return -1;
  at = scanInteger(bytes, at, rows.tradeId, row);
  if (at < 0 || !matches(bytes, at, TIME)) return -1;
  at += TIME.length;
  const timeEnd = at + TIME_LENGTH;
  if (!matches(bytes, timeEnd, TRADE_END)) return -1;
  const timeUs = parseRfc3339Time(bytes, at, timeEnd);
  if (timeUs < 0) return -1;
  rows.timeUs[row] = timeUs;
  return timeEnd + TRADE_END.length;
}
