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

/** Equal to the last field; general comparisons of trees cost more than parsing. */
export function sameVerdict(a: Verdict, b: Verdict): boolean {
  if (a.class === 'dead') return b.class === 'dead' && a.reason === b.reason;
  if (a.class === 'control' || b.class !== 'trades') return a.class === b.class;
  return a.rows.length === b.rows.length && a.rows.every((row, i) => sameRow(row, b.rows[i]));
}

function sameRow(a: GoodRow | string, b: GoodRow | string | undefined): boolean {
  if (typeof a === 'string' || typeof b !== 'object') return a === b;
  for (const name in a) {
    if (!Object.is(a[name as keyof GoodRow], b[name as keyof GoodRow])) return false;
  }
  return true;
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
