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
import { FixedText, scanInteger } from '#src/exchanges/scan';
import { parseRfc3339Time } from '#src/exchanges/scan-time';
import type { SymbolTable } from '#src/exchanges/symbol-table';
import { BUY, beginRow, SELL } from '#src/exchanges/trade-record';

const QUOTE = 34;
const COMMA = 44;
const CLOSE_BRACKET = 93;
const CLOSE_BRACE = 125;

const HEAD = new FixedText('{"channel":"trade","type":"');
const UPDATE = new FixedText('update","data":[');
const SNAPSHOT = new FixedText('snapshot","data":[');
const SYMBOL = new FixedText('{"symbol":"');
const BUYS = new FixedText('","side":"buy","price":');
const SELLS = new FixedText('","side":"sell","price":');
const QUANTITY = new FixedText(',"qty":');
const LIMIT = new FixedText(',"ord_type":"limit","trade_id":');
const MARKET = new FixedText(',"ord_type":"market","trade_id":');
const TIME = new FixedText(',"timestamp":"');

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
    view: DataView,
    start: number,
    end: number,
    condition: number,
    rows: ParsedTrades,
  ): boolean {
    if (end - start < FRAME_BYTES_MIN || !HEAD.isAt(view, start)) return false;
    let at = start + HEAD.length;
    let bits = condition;
    if (UPDATE.isAt(view, at)) at += UPDATE.length;
    else if (SNAPSHOT.isAt(view, at)) {
      at += SNAPSHOT.length;
      bits |= CONDITION_SNAPSHOT;
    } else return false;
    for (;;) {
      at = this.#trade(bytes, view, at, bits, rows);
      if (at < 0 || at > end) return false;
      if (bytes[at] !== COMMA) break;
      at++;
    }
    return bytes[at] === CLOSE_BRACKET && bytes[at + 1] === CLOSE_BRACE && at + 2 === end;
  }

  #trade(
    bytes: Uint8Array,
    view: DataView,
    start: number,
    condition: number,
    rows: ParsedTrades,
  ): number {
    if (!SYMBOL.isAt(view, start)) return -1;
    const row = beginRow(rows, condition);
    let at = this.#symbols.scan(bytes, start + SYMBOL.length, rows.instrument, row);
    if (at < 0) return -1;

    if (BUYS.isAt(view, at)) {
      rows.side[row] = BUY;
      at += BUYS.length;
    } else if (SELLS.isAt(view, at)) {
      rows.side[row] = SELL;
      at += SELLS.length;
    } else return -1;
    at = scanDecimal(bytes, at, rows.price, row);
    if (at < 0 || !QUANTITY.isAt(view, at)) return -1;
    at = scanDecimal(bytes, at + QUANTITY.length, rows.quantity, row);
    if (at < 0) return -1;
    return scanRest(bytes, view, at, rows, row);
  }
}

/** From the order type to the end of the trade. */
function scanRest(
  bytes: Uint8Array,
  view: DataView,
  start: number,
  rows: ParsedTrades,
  row: number,
): number {
  let at = start;
  if (LIMIT.isAt(view, at)) {
    rows.condition[row] |= CONDITION_LIMIT_ORDER;
    at += LIMIT.length;
  } else if (MARKET.isAt(view, at)) {
    rows.condition[row] |= CONDITION_MARKET_ORDER;
    at += MARKET.length;
  } else return -1;
  at = scanInteger(bytes, at, rows.tradeId, row);
  if (at < 0 || !TIME.isAt(view, at)) return -1;
  at += TIME.length;
  const timeEnd = at + TIME_LENGTH;
  if (bytes[timeEnd] !== QUOTE || bytes[timeEnd + 1] !== CLOSE_BRACE) return -1;
  const timeUs = parseRfc3339Time(bytes, at, timeEnd);
  if (timeUs < 0) return -1;
  rows.timeUs[row] = timeUs;
  return timeEnd + 2;
}
