/** What a parser said of a frame, as a plain value to compare. */
import { REASONS } from '#schemas/dead-letter';
import { bigInt64 } from '#src/base/int64';
import {
  FRAME_CONTROL,
  FRAME_DEAD,
  FRAME_TRADES,
  type FrameClass,
  NO_REASON,
  type ParsedTrades,
} from '#src/exchanges/parsed-trades';

export interface GoodRow {
  readonly instrument: number;
  readonly tradeId: number;
  readonly timeUs: number;
  readonly price: bigint;
  readonly quantity: bigint;
  readonly side: number;
  readonly condition: number;
  readonly sourceSequence: number;
  readonly firstId: number;
  readonly lastId: number;
}

/** Rows are trades or the names of their reasons. */
export type Verdict =
  | { readonly class: 'trades'; readonly rows: readonly (GoodRow | string)[] }
  | { readonly class: 'control' }
  | { readonly class: 'dead'; readonly reason: string };

export function verdict(frameClass: FrameClass, parsed: ParsedTrades): Verdict {
  switch (frameClass) {
    case FRAME_CONTROL:
      return { class: 'control' };
    case FRAME_DEAD:
      return { class: 'dead', reason: REASONS[parsed.frameReason].name };
    case FRAME_TRADES:
      return {
        class: 'trades',
        rows: Array.from({ length: parsed.count }, (_, row) => goodRow(parsed, row)),
      };
  }
}

function goodRow(parsed: ParsedTrades, row: number): GoodRow | string {
  const reason = parsed.reason[row];
  if (reason !== NO_REASON) return REASONS[reason].name;
  return {
    instrument: parsed.instrument[row],
    tradeId: parsed.tradeId[row],
    timeUs: parsed.timeUs[row],
    price: bigInt64(parsed.price, row),
    quantity: bigInt64(parsed.quantity, row),
    side: parsed.side[row],
    condition: parsed.condition[row],
    sourceSequence: parsed.sourceSequence[row],
    firstId: parsed.firstId[row],
    lastId: parsed.lastId[row],
  };
}
