/**
 * One row of a public dump file (Binance's layout, columns named by the tag):
 *
 *   BTCUSDT trades 0,1,2,4,5\n
 *   6486989273,63551.02000000,0.00317000,201.45,1783465157897123,True,True
 *
 * The tag's numbers are the columns of id, price, quantity, time and is-buyer-maker, and for
 * aggTrades of first id and last id. Fields are not quoted; a row ends with its line.
 */
import { isUtf8 } from 'node:buffer';
import { CONDITION_AGGREGATE } from '#schemas/trade';
import { deadFrame } from '#src/exchanges/exchange-format';
import { FRAME_TRADES, type FrameClass, type ParsedTrades } from '#src/exchanges/parsed-trades';
import { ascii, equals } from '#src/exchanges/scan';
import { parseEpochTime } from '#src/exchanges/scan-time';
import {
  BUY,
  FIELD_FIRST_ID,
  FIELD_ID,
  FIELD_LAST_ID,
  FIELD_PRICE,
  FIELD_QUANTITY,
  FIELD_SIDE,
  FIELD_SYMBOL,
  FIELD_TIME,
  SELL,
  type TradeRecord,
} from '#src/exchanges/trade-record';

/** The dumps' names of Binance's two streams. */
export type CsvStreamKind = 'trades' | 'aggTrades';

const COMMA = 44;
const NEWLINE = 10;
const RETURN = 13;

/** Fields in the order of the tag's column numbers. */
const TAG_FIELDS = [
  FIELD_ID,
  FIELD_PRICE,
  FIELD_QUANTITY,
  FIELD_TIME,
  FIELD_SIDE,
  FIELD_FIRST_ID,
  FIELD_LAST_ID,
] as const;
/** Column numbers above this are a mistake in a tag, not a wide file. */
const COLUMNS_MAX = 64;
const TAG = /^([^\s]+) (trades|aggTrades) (\d{1,2}(?:,\d{1,2})*)$/;
/** A longer line is no tag. */
export const TAG_BYTES_MAX = 256;

const BUYER_IS_MAKER = ['true', 'True', '1'].map(ascii);
const BUYER_IS_TAKER = ['false', 'False', '0'].map(ascii);

function readBuyerMaker(bytes: Uint8Array, start: number, end: number): number {
  for (const text of BUYER_IS_MAKER) if (equals(bytes, start, end, text)) return SELL;
  for (const text of BUYER_IS_TAKER) if (equals(bytes, start, end, text)) return BUY;
  return -1;
}

const SYNTAX = { time: parseEpochTime, side: readBuyerMaker };

export class CsvReader {
  readonly #kind: CsvStreamKind;
  /** The tag read last: all rows of a file carry the same one, so it is taken apart once. */
  #tag = new Uint8Array(0);
  #tagKind: CsvStreamKind = 'trades';
  #symbolLength = 0;
  /** Field in each column, -1 for none. */
  readonly #fields = new Int8Array(COLUMNS_MAX);

  constructor(kind: CsvStreamKind) {
    this.#kind = kind;
  }

  /** Whether [start, end) starts with a tag line. */
  isTagged(bytes: Uint8Array, start: number, end: number): boolean {
    return this.#readTag(bytes, start, end) >= 0;
  }

  /** Reads a tagged row; `record` is cleared. */
  read(
    bytes: Uint8Array,
    start: number,
    end: number,
    record: TradeRecord,
    condition: number,
    rows: ParsedTrades,
  ): FrameClass {
    const tagEnd = this.#readTag(bytes, start, end);
    if (tagEnd < 0) return deadFrame(rows, 'malformed_frame');
    const rowStart = tagEnd + 1;
    const rowEnd = lineEnd(bytes, rowStart, end);
    if (rowEnd < 0) return deadFrame(rows, 'malformed_frame');
    if (this.#tagKind !== this.#kind) return deadFrame(rows, 'wrong_stream_kind');

    record.set(FIELD_SYMBOL, bytes, start, start + this.#symbolLength);
    let from = rowStart;
    for (let column = 0; from <= rowEnd; column++) {
      let to = from;
      while (to < rowEnd && bytes[to] !== COMMA) to++;
      const field = column < COLUMNS_MAX ? this.#fields[column] : -1;
      if (field >= 0 && to > from) record.set(field, bytes, from, to);
      from = to + 1;
    }
    const aggregate = this.#tagKind === 'aggTrades' ? CONDITION_AGGREGATE : 0;
    record.append(SYNTAX, rows, condition | aggregate);
    return FRAME_TRADES;
  }

  /** Takes the tag line apart; answers the position of its newline, or -1 when it is no tag. */
  #readTag(bytes: Uint8Array, start: number, end: number): number {
    const cachedEnd = start + this.#tag.length;
    if (cachedEnd > start && cachedEnd < end && bytes[cachedEnd] === NEWLINE) {
      if (equals(bytes, start, cachedEnd, this.#tag)) return cachedEnd;
    }
    const limit = Math.min(end, start + TAG_BYTES_MAX);
    let tagEnd = start;
    while (tagEnd < limit && bytes[tagEnd] !== NEWLINE) tagEnd++;
    if (tagEnd === limit) return -1;
    const tag = new Uint8Array(bytes.subarray(start, tagEnd));
    const match = TAG.exec(Buffer.from(tag).toString('latin1'));
    if (match === null) return -1;
    const columns = match[3].split(',').map(Number);
    if (columns.length !== 5 && columns.length !== TAG_FIELDS.length) return -1;
    if (columns.some((column) => column >= COLUMNS_MAX)) return -1;
    if (new Set(columns).size !== columns.length) return -1;
    this.#tag = tag;
    this.#symbolLength = match[1].length;
    this.#tagKind = match[2] as CsvStreamKind;
    this.#fields.fill(-1);
    columns.forEach((column, i) => {
      this.#fields[column] = TAG_FIELDS[i];
    });
    return tagEnd;
  }
}

/** Where the one line in [start, end) ends, without its line end; -1 for none, several or no text. */
function lineEnd(bytes: Uint8Array, start: number, end: number): number {
  let last = end;
  if (last > start && bytes[last - 1] === NEWLINE) last--;
  if (last > start && bytes[last - 1] === RETURN) last--;
  if (last === start) return -1;
  let plain = true;
  for (let at = start; at < last; at++) {
    if (bytes[at] === NEWLINE || bytes[at] === RETURN) return -1;
    if (bytes[at] >= 0x80) plain = false;
  }
  return plain || isUtf8(bytes.subarray(start, last)) ? last : -1;
}
