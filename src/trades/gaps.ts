/**
 * Gaps: trade ids an exchange must have used but that never reached us.
 *
 * They are what lies between the intervals of an instrument's interval set, so the gap ledger needs
 * no state of its own: a filled gap is gone, and nothing between two intervals can be forgotten.
 */
import type { IntervalSet } from '#src/trades/interval-set';

export interface Gap {
  /** First and last missing id. */
  readonly fromId: number;
  readonly toId: number;
  /** Missing ids: toId - fromId + 1. */
  readonly count: number;
  /** Event time of the trade just before the gap, us. */
  readonly afterUs: number;
  /** Event time of the trade just after the gap, us. */
  readonly beforeUs: number;
}

/** All gaps of an instrument, by id. */
export function gapsOf(set: IntervalSet): Gap[] {
  const gaps: Gap[] = [];
  for (let i = 1; i < set.intervalCount; i++) {
    const fromId = set.hi(i - 1) + 1;
    const toId = set.lo(i) - 1;
    gaps.push({
      fromId,
      toId,
      count: toId - fromId + 1,
      afterUs: set.hiTimeUs(i - 1),
      beforeUs: set.loTimeUs(i),
    });
  }
  return gaps;
}

export interface GapTotals {
  readonly gaps: number;
  /** Ids missing in all of them. */
  readonly missing: number;
}

/** How much is missing, without listing it. */
export function gapTotals(set: IntervalSet): GapTotals {
  if (set.intervalCount === 0) return { gaps: 0, missing: 0 };
  const span = set.largestId - set.lo(0) + 1;
  return { gaps: set.intervalCount - 1, missing: span - set.idsCount };
}

/**
 * Gaps that came to light within the hour before an instrument's newest trade are worth fetching
 * again: the backfill of an earlier life may have been cut short. What the exchange has lost costs
 * an hour of pages, once a start.
 */
export const RECENT_GAP_US = 3_600_000_000;

/** The gaps that came to light within `recentUs` of the newest trade, by id. */
export function recentGapsOf(set: IntervalSet, recentUs: number): Gap[] {
  return gapsOf(set).filter(({ beforeUs }) => beforeUs >= set.eventTimeMaxUs - recentUs);
}

/**
 * Where a feed that starts again has to go on from: the trade before the oldest gap that came to
 * light within `recentUs` of the newest trade, or the newest trade itself. A process that was ended
 * while it fetched a gap has newer trades behind it; going on from those would leave it open.
 */
export function resumePoint(
  set: IntervalSet,
  recentUs: number,
): { readonly tradeId: number; readonly timeUs: number } {
  let i = set.intervalCount - 1;
  while (i > 0 && set.loTimeUs(i) >= set.eventTimeMaxUs - recentUs) i--;
  return { tradeId: set.hi(i), timeUs: set.hiTimeUs(i) };
}
