/** The oracle's candles: every gold trade folded into every timeframe's window around it. */
import { TIMEFRAME_US } from '#schemas/timeframe';
import type { AcceptedTrade, Oracle, OracleInstrument } from '#tests/support/oracle/oracle';
import { ONE } from '#tests/support/oracle/values';

export interface OracleCandle {
  readonly instrument: OracleInstrument;
  /** Index in TIMEFRAMES. */
  readonly timeframe: number;
  readonly startUs: number;
  readonly endUs: number;
  open: AcceptedTrade;
  close: AcceptedTrade;
  high: bigint;
  low: bigint;
  volume: bigint;
  quoteVolume: bigint;
  count: number;
  firstId: number;
  lastId: number;
  /** Late trades, per timeframe. */
  readonly late: number[];
  isFinal: boolean;
  isComplete: boolean;
}

/** Candles of one timeframe, by symbol and time. */
export function oracleCandles(oracle: Oracle, timeframe: number): OracleCandle[] {
  const lengthUs = TIMEFRAME_US[timeframe]!;
  const candles = new Map<string, OracleCandle>();
  for (const trade of oracle.gold) {
    const startUs = trade.timeUs - (trade.timeUs % lengthUs);
    const key = `${trade.instrument.symbol} ${startUs}`;
    const candle = candles.get(key);
    if (candle === undefined) candles.set(key, firstOf(trade, timeframe, startUs));
    else add(candle, trade);
  }
  for (const candle of candles.values()) {
    const { instrument, endUs, firstId, lastId } = candle;
    candle.isFinal = oracle.watermarkUs >= endUs + oracle.allowedLatenessUs;
    candle.isComplete = true;
    for (let id = firstId - 1; id <= lastId + 1 && candle.isComplete; id++) {
      candle.isComplete = oracle.has(instrument.symbol, id);
    }
  }
  return [...candles.values()].sort(
    (a, b) => compare(a.instrument.symbol, b.instrument.symbol) || a.startUs - b.startUs,
  );
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function firstOf(trade: AcceptedTrade, timeframe: number, startUs: number): OracleCandle {
  const { instrument, price, quantity, id, late } = trade;
  return {
    instrument,
    timeframe,
    startUs,
    endUs: startUs + TIMEFRAME_US[timeframe]!,
    open: trade,
    close: trade,
    high: price,
    low: price,
    volume: quantity,
    quoteVolume: price * quantity,
    count: 1,
    firstId: id,
    lastId: id,
    late: late.map(Number),
    isFinal: false,
    isComplete: false,
  };
}

function add(candle: OracleCandle, trade: AcceptedTrade): void {
  const { price, quantity, id } = trade;
  if (isBefore(trade, candle.open)) candle.open = trade;
  if (isBefore(candle.close, trade)) candle.close = trade;
  if (price > candle.high) candle.high = price;
  if (price < candle.low) candle.low = price;
  candle.volume += quantity;
  candle.quoteVolume += price * quantity;
  candle.count++;
  candle.firstId = Math.min(candle.firstId, id);
  candle.lastId = Math.max(candle.lastId, id);
  for (const [k, late] of trade.late.entries()) if (late) candle.late[k]!++;
}

function isBefore(a: AcceptedTrade, b: AcceptedTrade): boolean {
  return a.timeUs < b.timeUs || (a.timeUs === b.timeUs && a.id < b.id);
}

/** quote volume / volume with 8 decimals, half a unit rounded up. */
export function vwap({ quoteVolume, volume }: OracleCandle): bigint {
  // quoteVolume has 16 decimals, volume 8: their quotient is a price x 10^8 already.
  return (2n * quoteVolume + volume) / (2n * volume);
}

/** Of `value` with the given decimals, as text. */
export function decimalText(value: bigint, decimals: 8 | 16): string {
  const one = decimals === 8 ? ONE : ONE * ONE;
  return `${value / one}.${String(value % one).padStart(decimals, '0')}`;
}
