/**
 * Which gold trades a query is about, and the one order they are given in: (time, exchange, symbol,
 * trade id). It is total, so a page can end between two trades of the same microsecond and the next
 * one starts with the other.
 */
import type { Exchange } from '#schemas/exchange';
import type { DataFile } from '#src/lake/table-reader';

export interface NamedInstrument {
  readonly exchange: Exchange;
  readonly symbol: string;
}

export interface TradeFilter {
  readonly instruments: readonly NamedInstrument[];
  /** Inclusive. */
  readonly startUs: number;
  /** Exclusive. */
  readonly endUs: number;
  readonly side?: 'BUY' | 'SELL';
  /** x 10^8; bounds are inclusive. */
  readonly priceMin?: bigint;
  readonly priceMax?: bigint;
  readonly quantityMin?: bigint;
  readonly quantityMax?: bigint;
}

export interface TradeKey {
  readonly timeUs: number;
  readonly exchange: string;
  readonly symbol: string;
  readonly id: number;
}

function compareTexts(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

export function compareKeys(a: TradeKey, b: TradeKey): number {
  return (
    a.timeUs - b.timeUs ||
    compareTexts(a.exchange, b.exchange) ||
    compareTexts(a.symbol, b.symbol) ||
    a.id - b.id
  );
}

/** Field ids of schemas/trade.ts that bounds are looked at of. */
const SYMBOL_ID = 3;
const TIMESTAMP_ID = 6;

export interface BoundedFile extends DataFile {
  readonly metrics: {
    readonly lower: Readonly<Record<number, string>>;
    readonly upper: Readonly<Record<number, string>>;
  };
}

/** Whether a file can hold a trade of the filter, by the bounds of its columns. */
export function mayMatch({ metrics }: BoundedFile, filter: TradeFilter): boolean {
  const { lower, upper } = metrics;
  const from = timeBound(lower[TIMESTAMP_ID]);
  const to = timeBound(upper[TIMESTAMP_ID]);
  if (from !== undefined && from >= filter.endUs) return false;
  if (to !== undefined && to < filter.startUs) return false;
  const first = textBound(lower[SYMBOL_ID]);
  const last = textBound(upper[SYMBOL_ID]);
  return filter.instruments.some(
    ({ symbol }) =>
      (first === undefined || symbol.slice(0, first.length) >= first) &&
      (last === undefined || symbol <= last),
  );
}

function textBound(hex: string | undefined): string | undefined {
  return hex === undefined ? undefined : Buffer.from(hex, 'hex').toString();
}

function timeBound(hex: string | undefined): number | undefined {
  return hex === undefined ? undefined : Number(Buffer.from(hex, 'hex').readBigInt64LE());
}
