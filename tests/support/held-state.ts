/**
 * What the state store holds, as the lines of tests/support/oracle/lines.ts: gaps out of the interval
 * sets, and candle records field by field, at offsets of their own.
 */
import type { Instrument } from '#schemas/instrument';
import type { StateStore } from '#src/state/store';
import { gapsOf } from '#src/trades/gaps';
import { IntervalSet } from '#src/trades/interval-set';

interface HeldState {
  readonly store: StateStore;
  readonly instruments: readonly Instrument[];
}

/** Gaps by instrument code and id. */
export function gapLines({ store, instruments }: HeldState): string[] {
  return instruments.flatMap((instrument) => {
    const packed = store.intervals(instrument);
    if (packed === undefined) return [];
    return gapsOf(IntervalSet.unpack(packed)).map(({ fromId, toId, count, afterUs, beforeUs }) =>
      [instrument.exchange, instrument.symbol, fromId, toId, count, afterUs, beforeUs].join('|'),
    );
  });
}

/** Candle records of one timeframe by instrument code and time. */
export function recordLines({ store, instruments }: HeldState, timeframe: number): string[] {
  return instruments.flatMap(({ code }) =>
    Array.from(store.candles(timeframe, code, 0, Number.MAX_SAFE_INTEGER), (record) =>
      recordLine(record, instruments),
    ),
  );
}

function recordLine(record: Uint8Array, instruments: readonly Instrument[]): string {
  const view = new DataView(record.buffer, record.byteOffset, record.byteLength);
  const int64 = (at: number): bigint => view.getBigInt64(at, true);
  const int128 = (at: number): bigint => (int64(at + 8) << 64n) | view.getBigUint64(at, true);
  const { exchange, symbol } = instruments[view.getInt32(0, true)]!;
  const unused = [view.getUint16(6, true), int64(104), int64(168)];
  return [
    `${exchange} ${symbol}`,
    view.getUint8(4),
    view.getUint8(5),
    int64(8),
    [int64(16), int64(24), int64(32)],
    int64(40),
    int64(48),
    [int64(56), int64(64), int64(72)],
    [int64(80), int64(88), int64(96)],
    int128(112),
    int128(128),
    [0, 1, 2, 3, 4, 5].map((k) => view.getUint32(144 + 4 * k, true)),
    record.byteLength === 176 && unused.every((value) => Number(value) === 0)
      ? 'rest zero'
      : 'rest not zero',
  ].join('|');
}
