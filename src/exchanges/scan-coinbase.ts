/**
 * Scans Coinbase Exchange's match in the key order Coinbase writes:
 *
 *   {"type":"match","trade_id":1052119289,"maker_order_id":"15bc13f2-e38c-4693-8c0b-e8c6152b9c1d",
 *    "taker_order_id":"13d7d08f-7396-421b-9dba-94eac92f3d78","side":"sell","size":"0.2",
 *    "price":"63514.6","product_id":"BTC-USD","sequence":132235026010,
 *    "time":"2026-07-07T22:58:17.164892Z"}
 *
 * `last_match` is the same. The side is the maker's: the aggressor's is the other one.
 */
import { CONDITION_SNAPSHOT } from '#schemas/trade';
import { scanDecimal } from '#src/base/decimal';
import type { ParsedTrades } from '#src/exchanges/parsed-trades';
import { FixedText, scanInteger, skipPlainString } from '#src/exchanges/scan';
import { parseRfc3339Time } from '#src/exchanges/scan-time';
import type { SymbolTable } from '#src/exchanges/symbol-table';
import { BUY, beginRow, SELL } from '#src/exchanges/trade-record';

const QUOTE = 34;
const CLOSE_BRACE = 125;

const MATCH = new FixedText('{"type":"match","trade_id":');
const LAST_MATCH = new FixedText('{"type":"last_match","trade_id":');
const MAKER_ORDER = new FixedText(',"maker_order_id":"');
const TAKER_ORDER = new FixedText('","taker_order_id":"');
const MAKER_BUYS = new FixedText('","side":"buy","size":"');
const MAKER_SELLS = new FixedText('","side":"sell","size":"');
const PRICE = new FixedText('","price":"');
const SYMBOL = new FixedText('","product_id":"');
const SEQUENCE = new FixedText('","sequence":');
const TIME = new FixedText(',"time":"');

/** `2026-07-07T22:58:17.164892Z`: matches have six decimals. */
const TIME_LENGTH = 27;
/** The shortest match has more bytes than this. */
const FRAME_BYTES_MIN = 180;

export class CoinbaseScanner {
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
    if (end - start < FRAME_BYTES_MIN) return false;
    let at = start;
    let bits = condition;
    if (MATCH.isAt(view, at)) at += MATCH.length;
    else if (LAST_MATCH.isAt(view, at)) {
      at += LAST_MATCH.length;
      bits |= CONDITION_SNAPSHOT;
    } else return false;
    const row = beginRow(rows, bits);
    at = scanInteger(bytes, at, rows.tradeId, row);
    if (at < 0) return false;
    at = scanOrders(bytes, view, at);
    if (at < 0) return false;

    if (MAKER_SELLS.isAt(view, at)) {
      rows.side[row] = BUY;
      at += MAKER_SELLS.length;
    } else if (MAKER_BUYS.isAt(view, at)) {
      rows.side[row] = SELL;
      at += MAKER_BUYS.length;
    } else return false;
    at = scanDecimal(bytes, at, rows.quantity, row);
    if (at < 0 || !PRICE.isAt(view, at)) return false;
    at = scanDecimal(bytes, at + PRICE.length, rows.price, row);
    if (at < 0 || !SYMBOL.isAt(view, at)) return false;

    at = this.#symbols.scan(bytes, at + SYMBOL.length, rows.instrument, row);
    if (at < 0) return false;
    return scanTail(bytes, view, at, rows, row) === end;
  }
}

/** The two order ids, which say nothing here. */
function scanOrders(bytes: Uint8Array, view: DataView, start: number): number {
  if (!MAKER_ORDER.isAt(view, start)) return -1;
  const at = skipPlainString(bytes, start + MAKER_ORDER.length);
  if (at < 0 || !TAKER_ORDER.isAt(view, at)) return -1;
  return skipPlainString(bytes, at + TAKER_ORDER.length);
}

/** From the end of the symbol to the end of the match. */
function scanTail(
  bytes: Uint8Array,
  view: DataView,
  start: number,
  rows: ParsedTrades,
  row: number,
): number {
  if (!SEQUENCE.isAt(view, start)) return -1;
  let at = scanInteger(bytes, start + SEQUENCE.length, rows.sourceSequence, row);
  if (at < 0 || !TIME.isAt(view, at)) return -1;
  at += TIME.length;
  const timeEnd = at + TIME_LENGTH;
  if (bytes[timeEnd] !== QUOTE || bytes[timeEnd + 1] !== CLOSE_BRACE) return -1;
  const timeUs = parseRfc3339Time(bytes, at, timeEnd);
  if (timeUs < 0) return -1;
  rows.timeUs[row] = timeUs;
  return timeEnd + 2;
}
