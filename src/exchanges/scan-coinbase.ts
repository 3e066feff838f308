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
import { ascii, matches, scanInteger, skipPlainString } from '#src/exchanges/scan';
import { parseRfc3339Time } from '#src/exchanges/scan-time';
import type { SymbolTable } from '#src/exchanges/symbol-table';
import { BUY, beginRow, SELL } from '#src/exchanges/trade-record';

const QUOTE = 34;

const MATCH = ascii('{"type":"match","trade_id":');
const LAST_MATCH = ascii('{"type":"last_match","trade_id":');
const MAKER_ORDER = ascii(',"maker_order_id":"');
const TAKER_ORDER = ascii('","taker_order_id":"');
const MAKER_BUYS = ascii('","side":"buy","size":"');
const MAKER_SELLS = ascii('","side":"sell","size":"');
const PRICE = ascii('","price":"');
const SYMBOL = ascii('","product_id":"');
const SEQUENCE = ascii('","sequence":');
const TIME = ascii(',"time":"');
const TAIL = ascii('"}');

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
    start: number,
    end: number,
    condition: number,
    rows: ParsedTrades,
  ): boolean {
    if (end - start < FRAME_BYTES_MIN) return false;
    let at = start;
    let bits = condition;
    if (matches(bytes, at, MATCH)) at += MATCH.length;
    else if (matches(bytes, at, LAST_MATCH)) {
      at += LAST_MATCH.length;
      bits |= CONDITION_SNAPSHOT;
    } else return false;
    const row = beginRow(rows, bits);
    at = scanInteger(bytes, at, rows.tradeId, row);
    if (at < 0) return false;
    at = scanOrders(bytes, at);
    if (at < 0) return false;

    if (matches(bytes, at, MAKER_SELLS)) {
      rows.side[row] = BUY;
      at += MAKER_SELLS.length;
    } else if (matches(bytes, at, MAKER_BUYS)) {
      rows.side[row] = SELL;
      at += MAKER_BUYS.length;
    } else return false;
    at = scanDecimal(bytes, at, rows.quantity, row);
    if (at < 0 || !matches(bytes, at, PRICE)) return false;
    at = scanDecimal(bytes, at + PRICE.length, rows.price, row);
    if (at < 0 || !matches(bytes, at, SYMBOL)) return false;

    const symbol = at + SYMBOL.length;
    at = symbol;
    while (bytes[at] > QUOTE) at++;
    const instrument = this.#symbols.find(bytes, symbol, at);
    if (instrument < 0) return false;
    rows.instrument[row] = instrument;
    return scanTail(bytes, at, rows, row) === end;
  }
}

/** The two order ids, which say nothing here. */
function scanOrders(bytes: Uint8Array, start: number): number {
  if (!matches(bytes, start, MAKER_ORDER)) return -1;
  const at = skipPlainString(bytes, start + MAKER_ORDER.length);
  if (at < 0 || !matches(bytes, at, TAKER_ORDER)) return -1;
  return skipPlainString(bytes, at + TAKER_ORDER.length);
}

/** From the end of the symbol to the end of the match. */
function scanTail(bytes: Uint8Array, start: number, rows: ParsedTrades, row: number): number {
  if (!matches(bytes, start, SEQUENCE)) return -1;
  let at = scanInteger(bytes, start + SEQUENCE.length, rows.sourceSequence, row);
  if (at < 0 || !matches(bytes, at, TIME)) return -1;
  at += TIME.length;
  const timeEnd = at + TIME_LENGTH;
  if (!matches(bytes, timeEnd, TAIL)) return -1;
  const timeUs = parseRfc3339Time(bytes, at, timeEnd);
  if (timeUs < 0) return -1;
  rows.timeUs[row] = timeUs;
  return timeEnd + TAIL.length;
}
