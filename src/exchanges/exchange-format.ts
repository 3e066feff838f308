/**
 * What the parser (frame-parser.ts) asks of each exchange. A format keeps nothing between frames.
 *
 * `condition` is the condition byte every trade of the frame starts with. A method that answers
 * FRAME_TRADES has added a row for each thing that stands where a trade should.
 */
import { REASON, type ReasonName } from '#schemas/dead-letter';
import { TRADES_PER_FRAME_MAX } from '#schemas/trade';
import type { JsonTokenizer } from '#src/exchanges/json-tokenizer';
import {
  FRAME_DEAD,
  FRAME_TRADES,
  type FrameClass,
  type ParsedTrades,
} from '#src/exchanges/parsed-trades';
import type { ObjectLayout, TradeRecord } from '#src/exchanges/trade-record';

export interface ExchangeFormat {
  /** Reads [start, end) when it is the common trade frame, and every trade in it is good; false
   * for everything else, with whatever it has put into `rows` by then. `view` is over all of
   * `bytes`. Allocates nothing. */
  scan(
    bytes: Uint8Array,
    view: DataView,
    start: number,
    end: number,
    condition: number,
    rows: ParsedTrades,
  ): boolean;

  /** Reads any WebSocket message; `record` is cleared. */
  readMessage(
    json: JsonTokenizer,
    record: TradeRecord,
    condition: number,
    rows: ParsedTrades,
  ): FrameClass;

  /** Reads a page of the REST API; `record` knows the symbol. */
  readPage(
    json: JsonTokenizer,
    record: TradeRecord,
    condition: number,
    rows: ParsedTrades,
  ): FrameClass;

  /** The one text that is not JSON and still a message. */
  readonly controlText?: Uint8Array;
}

/** Gives up on the frame as a whole. */
export function deadFrame(rows: ParsedTrades, reason: ReasonName): FrameClass {
  rows.count = 0;
  rows.frameReason = REASON[reason];
  return FRAME_DEAD;
}

/** Adds every element of an array of trade objects. */
export function appendObjects(
  json: JsonTokenizer,
  array: number,
  record: TradeRecord,
  layout: ObjectLayout,
  condition: number,
  rows: ParsedTrades,
): FrameClass {
  const end = json.next[array];
  for (let token = array + 1; token < end; token = json.next[token]) {
    // Only elements of a byte or two can be so many; no exchange sends them.
    if (rows.count === TRADES_PER_FRAME_MAX) return deadFrame(rows, 'unrecognised_frame');
    record.appendObject(json, token, layout, rows, condition);
  }
  return FRAME_TRADES;
}
