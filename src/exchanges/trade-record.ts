/**
 * One trade as text: where each of its fields stands in the bytes, before anything is believed.
 * `append` reads the fields in the order of REASONS, so that the first thing wrong is the reason.
 *
 * A field is the text of a scalar, whether the exchange quotes it or not: what counts are the
 * digits, not the JSON type, and ids and prices never pass through a JS number's rounding. null
 * (an empty CSV field) is a missing field; an object or an array can never be read.
 */
import { REASON } from '#schemas/dead-letter';
import { CONDITION_AGGREGATE } from '#schemas/trade';
import { DECIMAL_INVALID, DECIMAL_OK, parseDecimal } from '#src/base/decimal';
import { JSON_NULL, type JsonTokenizer } from '#src/exchanges/json-tokenizer';
import { NO_REASON, type ParsedTrades } from '#src/exchanges/parsed-trades';
import { parseInteger } from '#src/exchanges/scan';
import type { SymbolTable } from '#src/exchanges/symbol-table';

export const FIELD_SYMBOL = 0;
export const FIELD_ID = 1;
export const FIELD_TIME = 2;
export const FIELD_PRICE = 3;
export const FIELD_QUANTITY = 4;
export const FIELD_SIDE = 5;
/** First and last raw trade id; read when the trade is an aggregate. */
export const FIELD_FIRST_ID = 6;
export const FIELD_LAST_ID = 7;
/** The two optional ones: without them, or unreadable, a trade is as good. */
export const FIELD_SEQUENCE = 8;
export const FIELD_ORDER_TYPE = 9;
const FIELDS = 10;

const MISSING = 0;
const TEXT = 1;
const UNREADABLE = 2;

export const BUY = 0;
export const SELL = 1;

/** Reads the text [start, end) of a field; -1 when it cannot be read. */
export type FieldReader = (bytes: Uint8Array, start: number, end: number) => number;

/** How one feed spells what differs between feeds. */
export interface TradeSyntax {
  /** Microseconds since the epoch. */
  readonly time: FieldReader;
  /** The aggressor's side: BUY or SELL. */
  readonly side: FieldReader;
  /** The condition bit of an order type, 0 for none. */
  readonly orderType?: FieldReader;
}

/** A trade as a JSON object of one feed. */
export interface ObjectLayout {
  readonly syntax: TradeSyntax;
  readonly keys: readonly (readonly [field: number, key: Uint8Array])[];
}

/** Starts the next row with a condition byte, every other column at its default; answers its number. */
export function beginRow(rows: ParsedTrades, condition: number): number {
  const row = rows.count++;
  if (row === rows.reason.length) rows.grow();
  rows.reason[row] = NO_REASON;
  rows.instrument[row] = -1;
  rows.tradeId[row] = 0;
  rows.timeUs[row] = 0;
  rows.price[2 * row] = 0;
  rows.price[2 * row + 1] = 0;
  rows.quantity[2 * row] = 0;
  rows.quantity[2 * row + 1] = 0;
  rows.side[row] = BUY;
  rows.condition[row] = condition;
  rows.sourceSequence[row] = -1;
  rows.firstId[row] = 0;
  rows.lastId[row] = 0;
  return row;
}

/** A row for something that stands where a trade should be. */
export function appendMalformed(rows: ParsedTrades, condition: number): void {
  rows.reason[beginRow(rows, condition)] = REASON.malformed_trade;
}

export class TradeRecord {
  readonly #symbols: SymbolTable;
  readonly #state = new Uint8Array(FIELDS);
  readonly #start = new Int32Array(FIELDS);
  readonly #end = new Int32Array(FIELDS);
  readonly #source: Uint8Array[] = new Array(FIELDS).fill(new Uint8Array(0));

  constructor(symbols: SymbolTable) {
    this.#symbols = symbols;
  }

  /** Forgets the last frame: every field is missing. */
  clear(): void {
    this.#state.fill(MISSING);
  }

  set(field: number, bytes: Uint8Array, start: number, end: number): void {
    this.#state[field] = TEXT;
    this.#source[field] = bytes;
    this.#start[field] = start;
    this.#end[field] = end;
  }

  /** Takes a field from a token; -1 is a missing one. A symbol must be a string. */
  setToken(field: number, json: JsonTokenizer, token: number): void {
    if (token < 0 || json.kind[token] === JSON_NULL) this.#state[field] = MISSING;
    else if (field === FIELD_SYMBOL && !json.isString(token)) this.#state[field] = MISSING;
    else if (json.isObject(token) || json.isArray(token)) this.#state[field] = UNREADABLE;
    else this.set(field, json.source(token), json.textStart(token), json.textEnd(token));
  }

  /** Adds the trade in `token` as a row. A field the layout does not name stays as it was set. */
  appendObject(
    json: JsonTokenizer,
    token: number,
    layout: ObjectLayout,
    rows: ParsedTrades,
    condition: number,
  ): void {
    if (!json.isObject(token) || json.repeatsKey(token)) {
      appendMalformed(rows, condition);
      return;
    }
    for (const [field, key] of layout.keys) this.setToken(field, json, json.find(token, key));
    this.append(layout.syntax, rows, condition);
  }

  /** Adds the trade as a row, with its values or the first reason why it is none. */
  append(syntax: TradeSyntax, rows: ParsedTrades, condition: number): void {
    const row = beginRow(rows, condition);
    let reason = this.#readIdentity(rows, row);
    if (reason === NO_REASON) reason = this.#readTime(syntax, rows, row);
    if (reason === NO_REASON) {
      const { price_missing, price_invalid } = REASON;
      reason = this.#readDecimal(FIELD_PRICE, rows.price, row, price_missing, price_invalid);
    }
    if (reason === NO_REASON) {
      const { quantity_missing: missing, quantity_invalid: invalid } = REASON;
      reason = this.#readDecimal(FIELD_QUANTITY, rows.quantity, row, missing, invalid);
    }
    if (reason === NO_REASON) reason = this.#readSide(syntax, rows, row);
    rows.reason[row] = reason;
    if (reason !== NO_REASON) return;
    rows.sourceSequence[row] = this.#read(FIELD_SEQUENCE, parseInteger);
    if (syntax.orderType !== undefined && this.#state[FIELD_ORDER_TYPE] === TEXT) {
      rows.condition[row] |= this.#read(FIELD_ORDER_TYPE, syntax.orderType);
    }
  }

  /** Symbol and trade id; for an aggregate trade also the ids it spans, which are part of what it
   * is: without them vendor_data would have to be made up. */
  #readIdentity(rows: ParsedTrades, row: number): number {
    if (this.#state[FIELD_SYMBOL] !== TEXT) return REASON.symbol_missing;
    const instrument = this.#symbols.find(
      this.#source[FIELD_SYMBOL],
      this.#start[FIELD_SYMBOL],
      this.#end[FIELD_SYMBOL],
    );
    if (instrument < 0) return REASON.unknown_symbol;
    rows.instrument[row] = instrument;

    const aggregate = (rows.condition[row] & CONDITION_AGGREGATE) !== 0;
    if (this.#state[FIELD_ID] === MISSING) return REASON.trade_id_missing;
    if (
      aggregate &&
      (this.#state[FIELD_FIRST_ID] === MISSING || this.#state[FIELD_LAST_ID] === MISSING)
    ) {
      return REASON.trade_id_missing;
    }
    const id = this.#read(FIELD_ID, parseInteger);
    if (id < 0) return REASON.trade_id_invalid;
    rows.tradeId[row] = id;
    if (aggregate) {
      const firstId = this.#read(FIELD_FIRST_ID, parseInteger);
      const lastId = this.#read(FIELD_LAST_ID, parseInteger);
      if (firstId < 0 || lastId < firstId) return REASON.trade_id_invalid;
      rows.firstId[row] = firstId;
      rows.lastId[row] = lastId;
    }
    return NO_REASON;
  }

  #readTime(syntax: TradeSyntax, rows: ParsedTrades, row: number): number {
    if (this.#state[FIELD_TIME] === MISSING) return REASON.timestamp_missing;
    const timeUs = this.#read(FIELD_TIME, syntax.time);
    if (timeUs < 0) return REASON.timestamp_invalid;
    rows.timeUs[row] = timeUs;
    return NO_REASON;
  }

  #readSide(syntax: TradeSyntax, rows: ParsedTrades, row: number): number {
    if (this.#state[FIELD_SIDE] === MISSING) return REASON.side_missing;
    const side = this.#read(FIELD_SIDE, syntax.side);
    if (side < 0) return REASON.side_invalid;
    rows.side[row] = side;
    return NO_REASON;
  }

  #read(field: number, reader: FieldReader): number {
    if (this.#state[field] !== TEXT) return -1;
    return reader(this.#source[field], this.#start[field], this.#end[field]);
  }

  /** `invalid` is the first of four codes in the order of DecimalStatus. */
  #readDecimal(
    field: number,
    words: Int32Array,
    row: number,
    missing: number,
    invalid: number,
  ): number {
    if (this.#state[field] === MISSING) return missing;
    if (this.#state[field] !== TEXT) return invalid;
    const status = parseDecimal(
      this.#source[field],
      this.#start[field],
      this.#end[field],
      words,
      row,
    );
    return status === DECIMAL_OK ? NO_REASON : invalid + (status - DECIMAL_INVALID);
  }
}
