/**
 * Frames of one exchange to trades: puts the exchange's format together with the ways of reading it.
 *
 *   bytes ── scan: the common frame, fixed key order, no allocation ──────────────> rows
 *     └─ not recognised ─> tokenizer: any JSON, any key order ─> format.readMessage ─> rows | class
 *
 * Where the scanner recognises a frame, the tokenizer gives the same class and the same rows: that
 * is a property under test, so the scanner is an optimisation and nothing else.
 *
 * What a frame is: FRAME_TRADES with a row per trade, good or bad; FRAME_CONTROL for anything that
 * carries the exchange's discriminator but no trades; FRAME_DEAD when no trade can be told from it.
 * An envelope that repeats a key could be read in two ways, so it is dead, never control.
 */
import { CONDITION_IMPORTED } from '#schemas/trade';
import { AssertionError } from '#src/base/errors';
import { CsvReader, type CsvStreamKind } from '#src/exchanges/csv';
import { deadFrame, type ExchangeFormat } from '#src/exchanges/exchange-format';
import { JsonTokenizer } from '#src/exchanges/json-tokenizer';
import {
  FRAME_CONTROL,
  FRAME_TRADES,
  type FrameClass,
  NO_REASON,
  ParsedTrades,
} from '#src/exchanges/parsed-trades';
import { equals } from '#src/exchanges/scan';
import type { SymbolTable } from '#src/exchanges/symbol-table';
import { FIELD_SYMBOL, TradeRecord } from '#src/exchanges/trade-record';
import { KIND_CSV, KIND_IMPORT, KIND_REPLAY, KIND_REST, KIND_WS } from '#src/log/frame';

const NEWLINE = 10;
const SPACE = 32;
const DELETE = 127;
const OPEN_BRACKET = 91;
const OPEN_BRACE = 123;

export class FrameParser {
  /** The last frame's trades; overwritten by the next parse. */
  readonly parsed = new ParsedTrades();
  readonly #format: ExchangeFormat;
  readonly #csv: CsvReader;
  readonly #record: TradeRecord;
  readonly #json = new JsonTokenizer();
  /** The buffer of the last frame and a view over it: a log block holds thousands of frames. */
  #bytes: Uint8Array = new Uint8Array(0);
  #view: DataView = new DataView(this.#bytes.buffer);

  constructor(format: ExchangeFormat, symbols: SymbolTable, csvKind: CsvStreamKind) {
    this.#format = format;
    this.#csv = new CsvReader(csvKind);
    this.#record = new TradeRecord(symbols);
  }

  /** Reads the frame [start, end) of the given kind (src/log/frame.ts). */
  parse(bytes: Uint8Array, start: number, end: number, kind: number): FrameClass {
    const rows = this.parsed;
    if (kind === KIND_WS || kind === KIND_IMPORT || kind === KIND_REPLAY) {
      rows.count = 0;
      rows.frameReason = NO_REASON;
      const condition = kind === KIND_IMPORT ? CONDITION_IMPORTED : 0;
      if (this.#bytes !== bytes) {
        this.#bytes = bytes;
        this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
      }
      if (this.#format.scan(bytes, this.#view, start, end, condition, rows)) return FRAME_TRADES;
    }
    return this.parseGenerally(bytes, start, end, kind);
  }

  /** The same without the scanner. */
  parseGenerally(bytes: Uint8Array, start: number, end: number, kind: number): FrameClass {
    this.parsed.count = 0;
    this.parsed.frameReason = NO_REASON;
    switch (kind) {
      case KIND_WS:
        return this.#message(bytes, start, end, 0);
      case KIND_IMPORT:
        return this.#message(bytes, start, end, CONDITION_IMPORTED);
      case KIND_REST:
        return this.#page(bytes, start, end);
      case KIND_CSV:
        return this.#row(bytes, start, end, CONDITION_IMPORTED);
      case KIND_REPLAY:
        return this.#replay(bytes, start, end);
      default:
        throw new AssertionError(`frame kind ${kind} does not exist`);
    }
  }

  #message(bytes: Uint8Array, start: number, end: number, condition: number): FrameClass {
    if (!this.#json.tokenize(bytes, start, end)) {
      const { controlText } = this.#format;
      if (controlText !== undefined && equals(bytes, start, end, controlText)) return FRAME_CONTROL;
      return deadFrame(this.parsed, 'malformed_frame');
    }
    this.#record.clear();
    return this.#format.readMessage(this.#json, this.#record, condition, this.parsed);
  }

  #page(bytes: Uint8Array, start: number, end: number): FrameClass {
    const tagEnd = symbolTagEnd(bytes, start, end);
    if (tagEnd < 0 || !this.#json.tokenize(bytes, tagEnd + 1, end)) {
      return deadFrame(this.parsed, 'malformed_frame');
    }
    this.#record.clear();
    this.#record.set(FIELD_SYMBOL, bytes, start, tagEnd);
    return this.#format.readPage(this.#json, this.#record, 0, this.parsed);
  }

  #row(bytes: Uint8Array, start: number, end: number, condition: number): FrameClass {
    this.#record.clear();
    return this.#csv.read(bytes, start, end, this.#record, condition, this.parsed);
  }

  /** A dead letter's frame does not say what kind it was; its shape does. */
  #replay(bytes: Uint8Array, start: number, end: number): FrameClass {
    let first = start;
    while (first < end && bytes[first] <= SPACE) first++;
    const json = bytes[first] === OPEN_BRACE || bytes[first] === OPEN_BRACKET;
    if (!json && this.#csv.isTagged(bytes, start, end)) return this.#row(bytes, start, end, 0);
    if (!json && symbolTagEnd(bytes, start, end) >= 0) return this.#page(bytes, start, end);
    return this.#message(bytes, start, end, 0);
  }
}

/** Where the first line ends, if it can be a symbol: printable ASCII without a space; else -1. */
function symbolTagEnd(bytes: Uint8Array, start: number, end: number): number {
  let at = start;
  while (at < end && bytes[at] > SPACE && bytes[at] < DELETE) at++;
  return at > start && at < end && bytes[at] === NEWLINE ? at : -1;
}
