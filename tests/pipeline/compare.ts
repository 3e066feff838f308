/**
 * The product's tables and state against the oracles', row by row and column by column; and an
 * oracle against what the simulator wrote down before it sent anything.
 */
import assert from 'node:assert/strict';
import { candleTable } from '#schemas/candle';
import { exchangeKey } from '#schemas/exchange';
import { TIMEFRAMES } from '#schemas/timeframe';
import { GOLD_TRADES, silverTable } from '#schemas/trade';
import type { ExchangeProgress } from '#src/runtime/epoch-report';
import type { Feed } from '#src/simulator/frame-format';
import type { Journal } from '#src/simulator/journal';
import { candleLines, deadLetterLines, type Held, tradeLines } from '#tests/pipeline/held-lines';
import { gapLines, recordLines } from '#tests/support/held-state';
import { decimalText, type OracleCandle, oracleCandles } from '#tests/support/oracle/candles';
import {
  candleLine,
  deadLetterLine,
  gapLine,
  recordLine,
  tradeLine,
} from '#tests/support/oracle/lines';
import type { Oracle } from '#tests/support/oracle/oracle';

/** Rows compared, by what they are. */
export type Compared = Readonly<Record<string, number>>;

/** Asserts that the data directory holds what the oracles say, and nothing else. */
export async function compareAll(held: Held, oracles: readonly Oracle[]): Promise<Compared> {
  const byName = [...oracles].sort((a, b) => (a.exchange < b.exchange ? -1 : 1));
  const compared: Record<string, number> = {};
  const compare = (what: string, actual: readonly string[], expected: readonly string[]): void => {
    compared[what] = expected.length;
    sameLines(what, actual, expected);
  };

  compareProgress(held, oracles);
  for (const oracle of byName) {
    const table = silverTable(exchangeKey(oracle.exchange));
    compare(table, await tradeLines(held, table), oracle.silver.map(tradeLine));
  }
  const gold = byName.flatMap((oracle) => oracle.gold.map(tradeLine));
  compare(GOLD_TRADES, await tradeLines(held, GOLD_TRADES), gold);
  const letters = byName.flatMap((oracle) => oracle.deadLetters.map(deadLetterLine));
  compare('dead letters', await deadLetterLines(held), letters);

  const codeOf = new Map(held.instruments.map((i) => [`${i.exchange} ${i.symbol}`, i.code]));
  const code = (exchange: string, symbol: string): number => codeOf.get(`${exchange} ${symbol}`)!;
  const gaps = byName
    .flatMap((oracle) => oracle.gaps().map((gap) => ({ exchange: oracle.exchange, gap })))
    .sort((a, b) => code(a.exchange, a.gap.symbol) - code(b.exchange, b.gap.symbol))
    .map(({ exchange, gap }) => gapLine(exchange, gap));
  compare('gaps', gapLines(held), gaps);

  for (const [k, timeframe] of TIMEFRAMES.entries()) {
    const candles = byName.flatMap((oracle) => oracleCandles(oracle, k));
    const table = candleTable(timeframe);
    compare(table, await candleLines(held, table), candles.map(candleLine));
    const codeOfCandle = ({ instrument }: OracleCandle): number =>
      code(instrument.exchange, instrument.symbol);
    const inCodeOrder = [...candles].sort((a, b) => codeOfCandle(a) - codeOfCandle(b));
    compare(`${timeframe} records`, recordLines(held, k), inCodeOrder.map(recordLine));
  }
  held.store.verify();
  return compared;
}

/** Delivered is gold, undelivered inside is a gap, every bad record is a dead letter. */
export function compareWithJournal(journal: Journal, feed: Feed, oracle: Oracle): void {
  const truth = Array.from(journal.trades(feed))
    .filter(({ sends, served }) => sends > 0 || served)
    .map(({ symbol, id, timeUs, price, quantity, side }) =>
      [symbol, id, timeUs, eightDecimals(price), eightDecimals(quantity), side].join('|'),
    );
  const gold = oracle.gold.map(({ instrument, id, timeUs, price, quantity, side }) => {
    const texts = [decimalText(price, 8), decimalText(quantity, 8)];
    return [instrument.symbol, id, timeUs, ...texts, side].join('|');
  });
  sameLines(`${feed}: delivered trades`, gold.sort(), truth.sort());

  const symbolOf = new Map(oracle.gold.map(({ instrument: i }) => [i.nativeSymbol, i.symbol]));
  const gaps = oracle.gaps();
  const missing = journal.gaps(feed).map((gap) => {
    const { nativeSymbol, firstId, lastId, afterUs, beforeUs } = gap;
    return [symbolOf.get(nativeSymbol), firstId, lastId, afterUs, beforeUs].join('|');
  });
  const found = gaps.map((gap) => {
    const { symbol, fromId, toId, afterUs, beforeUs } = gap;
    return [symbol, fromId, toId, afterUs, beforeUs].join('|');
  });
  sameLines(`${feed}: gaps`, found.sort(), missing.sort());
  assert.ok(gaps.length > 0, `${feed} has no gap: the test has become too tame`);

  sameLines(
    `${feed}: dead letters`,
    oracle.deadLetters.map(({ reason, index, raw }) => `${reason} ${index} ${raw.toString('hex')}`),
    journal.deadLetters(feed).map(({ reason, recordIndex, bytes }) => {
      return `${reason} ${recordIndex} ${Buffer.from(bytes!).toString('hex')}`;
    }),
  );
}

function eightDecimals(decimal: string): string {
  const [whole, fraction = ''] = decimal.split('.');
  return `${whole}.${fraction.padEnd(8, '0')}`;
}

/** How far a log is judged once all of it is. */
export function progressOf(oracle: Oracle): ExchangeProgress {
  const { exchange, frames, control, watermarkUs, silver, deadLetters } = oracle;
  return {
    exchange,
    nextSequence: frames,
    watermarkUs,
    frames,
    control,
    valid: silver.length,
    deadLetters: deadLetters.length,
  };
}

/** Positions, watermarks and totals of the last epoch. */
function compareProgress({ store }: Held, oracles: readonly Oracle[]): void {
  const { progress, gold, epoch, publishedEpoch } = store.epoch();
  assert.equal(publishedEpoch, epoch);
  for (const oracle of oracles) {
    const { exchange, silver } = oracle;
    assert.deepEqual(
      progress.find((p) => p.exchange === exchange),
      progressOf(oracle),
    );
    const trades = oracle.gold.length;
    assert.deepEqual(
      gold.find((g) => g.exchange === exchange),
      { exchange, trades, duplicates: silver.length - trades },
    );
  }
}

/** Says where two lists of lines part; of lists this long a plain diff would take minutes. */
export function sameLines(
  what: string,
  actual: readonly string[],
  expected: readonly string[],
): void {
  const length = Math.max(actual.length, expected.length);
  for (let i = 0; i < length; i++) {
    if (actual[i] === expected[i]) continue;
    const missing = new Set(expected);
    for (const line of actual) missing.delete(line);
    const surplus = new Set(actual);
    for (const line of expected) surplus.delete(line);
    assert.fail(
      `${what}: row ${i} of ${actual.length} (expected ${expected.length}) is\n  ${actual[i]}\n` +
        `expected\n  ${expected[i]}\n` +
        `${surplus.size} lines are only in the product, ${missing.size} only in the oracle`,
    );
  }
}
