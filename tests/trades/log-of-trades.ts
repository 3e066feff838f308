/**
 * Trades of a log in which every column is a function of the trade's number, so that a reader can tell
 * a torn trade, one shown twice and one shown under a wrong number.
 */
import { storeInt64 } from '#src/base/int64';
import type { TradeBatch } from '#src/columns/trade-batch';
import { LIVE_TRADE, LIVE_TRADE_WORDS } from '#src/trades/live-trades';

const TRADES_PER_FRAME = 3;

/** Puts trade `n` of an instrument, the `at`-th of the whole log, into a row. */
export function fillRow(
  batch: TradeBatch,
  row: number,
  instrument: number,
  n: number,
  at: number,
): void {
  batch.instrument[row] = instrument;
  batch.duplicate[row] = 0;
  batch.side[row] = n & 1;
  batch.condition[row] = 0;
  batch.frameIndex[row] = at % TRADES_PER_FRAME;
  storeInt64(batch.frameSequence, row, Math.floor(at / TRADES_PER_FRAME));
  for (const column of [
    batch.tradeId,
    batch.time,
    batch.price,
    batch.quantity,
    batch.receiveTime,
    batch.sourceSequence,
  ]) {
    column[2 * row] = n;
    column[2 * row + 1] = n;
  }
}

/** The number of the trade at word `at`; -1 when it is a mixture. */
export function numberOf(trades: Int32Array, at: number): number {
  const n = trades[at + LIVE_TRADE.tradeId];
  for (let w = LIVE_TRADE.tradeId; w < LIVE_TRADE.frameSequence; w++) {
    if (trades[at + w] !== n) return -1;
  }
  const [side, high] = [
    trades[at + LIVE_TRADE.sideAndCondition],
    trades[at + LIVE_TRADE_WORDS - 1],
  ];
  return side === (n & 1) && high === 0 ? n : -1;
}
