/**
 * An afternoon on three exchanges, the same every time: equal times, runs of trades that share a
 * microsecond, an hour's change, a silence, a gap, duplicates, and frames that are no trades.
 */
import type { Exchange } from '#schemas/exchange';
import type { Instrument } from '#schemas/instrument';
import {
  binanceEvent,
  coinbaseMatch,
  krakenMessage,
  type TradeModel,
} from '#tests/exchanges/frames';
import { INSTRUMENTS } from '#tests/support/instruments';

/** 2026-07-07T13:30Z: trades go on for three hours, so four partitions. */
export const START_US = Date.UTC(2026, 6, 7, 13, 30) * 1000;
export const END_US = START_US + 3 * 3_600_000_000;

/** Twenty minutes without a trade; what would have been in them comes at their end, all at once. */
const QUIET = { fromUs: START_US + 90 * 60_000_000, toUs: START_US + 110 * 60_000_000 };

/** Ids missing between these of BTCUSDT. */
export const GAP = { fromId: 1_500, toId: 1_504 } as const;

/** A frame that breaks the JSON, one that breaks a rule, and markup that nothing may ever run. */
export const HOSTILE = '<script>alert(document.domain)</script>=cmd|calc';

function instrument(exchange: Exchange, symbol: string): Instrument {
  return INSTRUMENTS.find((i) => i.exchange === exchange && i.symbol === symbol) as Instrument;
}

export const TRADED = [
  instrument('BINANCE', 'BTCUSDT'),
  instrument('BINANCE', 'ETHUSDT'),
  instrument('KRAKEN', 'BTCUSD'),
  instrument('COINBASE', 'BTCUSD'),
] as const;

const TRADES_EACH = 1_200;

/** A small generator of its own, so that nothing here depends on the code under test. */
function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

function tradesOf(of: Instrument, seed: number): TradeModel[] {
  const next = random(seed);
  const step = (END_US - START_US) / TRADES_EACH;
  let price = 6_000_000_000_000n + BigInt(seed) * 1_000_000_000n;
  let timeUs = START_US;
  return Array.from({ length: TRADES_EACH }, (_, i) => {
    // A third of the trades share their time with the one before.
    if (next() > 0.33) timeUs = START_US + Math.floor(i * step + next() * step);
    if (timeUs >= QUIET.fromUs && timeUs < QUIET.toUs) timeUs = QUIET.toUs;
    price += BigInt(Math.floor((next() - 0.5) * 4e9)) * 2n;
    const id = 1_000 + i >= GAP.fromId && seed === 1 ? 1_000 + i + 5 : 1_000 + i;
    return {
      instrument: of,
      id,
      timeUs,
      price,
      quantity: BigInt(1 + Math.floor(next() * 5e8)),
      side: next() < 0.5 ? 0 : 1,
      sequence: 70_000 + i,
      span: 0,
      market: next() < 0.5,
    };
  });
}

/** Every trade, by instrument in the order of TRADED, in the order of their ids. */
export const TRADES: readonly (readonly TradeModel[])[] = TRADED.map((of, k) =>
  tradesOf(of, k + 1),
);

function frameOf(trade: TradeModel): string {
  switch (trade.instrument.exchange) {
    case 'BINANCE':
      return binanceEvent(trade, false, true);
    case 'KRAKEN':
      return krakenMessage([trade], false);
    case 'COINBASE':
      return coinbaseMatch(trade, false);
  }
}

/** What is imported of an exchange in two goes: so there are two epochs, with files that overlap. */
export function frames(exchange: Exchange, half: 0 | 1): string[] {
  const lines = TRADES.flat()
    .filter((trade) => trade.instrument.exchange === exchange)
    .filter((trade) => trade.id % 2 === half)
    .sort((a, b) => a.timeUs - b.timeUs || a.id - b.id)
    .map(frameOf);
  const again = lines.slice(10, 20);
  const broken = [
    `{"broken": "${HOSTILE}"`,
    ...(exchange === 'BINANCE' && half === 0
      ? [`{"e":"trade","E":1,"s":"${HOSTILE}","t":1,"p":"1","q":"1","T":1,"m":true,"M":true}`]
      : []),
  ];
  return [...lines, ...again, ...broken];
}
