/**
 * All candle tables from gold, the slow and obvious way: BigInts, maps and sorting.
 */
import { TIMEFRAME_US, TIMEFRAMES, type Timeframe } from '#schemas/timeframe';

/** A row of gold; prices and quantities scaled by 1e8. */
export interface GoldTrade {
  readonly exchange: string;
  readonly symbol: string;
  readonly id: number;
  readonly timeUs: number;
  readonly price: bigint;
  readonly quantity: bigint;
  readonly side: string;
  readonly receiveUs: number;
  /** platform_sequence: the order of acceptance within an exchange. */
  readonly place: bigint;
}

/** A row of a candle table, every number as text. */
export type CandleText = Readonly<Record<string, string>>;

export function foldCandles(
  gold: readonly GoldTrade[],
  allowedLatenessUs: number,
  watermarkUs: ReadonlyMap<string, number>,
): Map<Timeframe, CandleText[]> {
  const ids = new Map<string, Set<number>>();
  const eventMaxUs = new Map<string, number>();
  const members = new Map<string, { trade: GoldTrade; isLate: boolean }[]>();
  const accepted = [...gold].sort((a, b) => (a.place < b.place ? -1 : 1));
  for (const trade of accepted) {
    const instrument = `${trade.exchange}|${trade.symbol}`;
    const earlierUs = eventMaxUs.get(instrument) ?? -1;
    for (const [k, lengthUs] of TIMEFRAME_US.entries()) {
      const startUs = trade.timeUs - (trade.timeUs % lengthUs);
      const closedUs = startUs + lengthUs + allowedLatenessUs;
      const key = `${TIMEFRAMES[k]}|${instrument}|${startUs}`;
      const list = members.get(key) ?? [];
      list.push({ trade, isLate: earlierUs >= closedUs || trade.receiveUs >= closedUs });
      members.set(key, list);
    }
    eventMaxUs.set(instrument, Math.max(earlierUs, trade.timeUs));
    const seen = ids.get(instrument) ?? new Set();
    ids.set(instrument, seen.add(trade.id));
  }
  const tables = new Map<Timeframe, CandleText[]>(TIMEFRAMES.map((name) => [name, []]));
  for (const [key, list] of members) {
    const [name, exchange, symbol, start] = key.split('|') as [Timeframe, string, string, string];
    const trades = list.map(({ trade }) => trade);
    const byTime = trades.toSorted((a, b) => a.timeUs - b.timeUs || a.id - b.id);
    const prices = trades.map(({ price }) => price).toSorted((a, b) => (a < b ? -1 : 1));
    const volume = trades.reduce((sum, { quantity }) => sum + quantity, 0n);
    const quote = trades.reduce((sum, { price, quantity }) => sum + price * quantity, 0n);
    const first = Math.min(...trades.map(({ id }) => id));
    const last = Math.max(...trades.map(({ id }) => id));
    const seen = ids.get(`${exchange}|${symbol}`) as Set<number>;
    let isComplete = true;
    for (let id = first - 1; id <= last + 1; id++) isComplete &&= seen.has(id);
    const endUs = Number(start) + (TIMEFRAME_US[TIMEFRAMES.indexOf(name)] as number);
    tables.get(name)?.push({
      exchange,
      symbol,
      window_start: start,
      window_end: `${endUs}`,
      open_price: `${byTime.at(0)?.price}`,
      high_price: `${prices.at(-1)}`,
      low_price: `${prices[0]}`,
      close_price: `${byTime.at(-1)?.price}`,
      volume: `${volume}`,
      trade_count: `${trades.length}`,
      vwap: `${(2n * quote + volume) / (2n * volume)}`,
      quote_volume: `${quote}`,
      first_trade_id: `${first}`,
      last_trade_id: `${last}`,
      revision: `${1 + list.filter(({ isLate }) => isLate).length}`,
      is_final: `${(watermarkUs.get(exchange) ?? 0) >= endUs + allowedLatenessUs}`,
      is_complete: `${isComplete}`,
    });
  }
  return tables;
}
