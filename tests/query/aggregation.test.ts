/**
 * Aggregations and comparisons against two oracles that share nothing with them: plain loops over
 * BigInt, and DuckDB's SQL over the same files.
 */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { formatScaled } from '#src/base/decimal';
import { AGGREGATION_ROWS_MAX, aggregation, TooManyRows } from '#src/query/aggregation';
import type { PlainRow } from '#src/query/answer-table';
import { Comparison } from '#src/query/comparison';
import { forEachTrade, type SortedTrade } from '#src/query/sorted-trades';
import { query } from '#tests/lake/duckdb';
import { INSTRUMENTS, MIDNIGHT_US, type Trade } from '#tests/lake/trade-rows';
import { sortText, tradesLake } from '#tests/query/trades-lake';

const SECOND = 1_000_000;
const RANGE = { startUs: MIDNIGHT_US - 30 * SECOND, endUs: MIDNIGHT_US + 90 * SECOND };
/** KRAKEN and COINBASE BTCUSD. */
const PAIR = [0, 2] as const;

/** Trades around midnight, many of them at one time. */
const trades = fc.uniqueArray(
  fc.record({
    instrument: fc.constantFrom(...PAIR),
    id: fc.nat({ max: 10_000 }),
    timeUs: fc.oneof(
      fc.integer({ min: -60, max: 119 }).map((s) => MIDNIGHT_US + s * SECOND),
      fc.integer({ min: -60_000_000, max: 119_999_999 }).map((us) => MIDNIGHT_US + us),
    ),
    price: fc.bigInt(1n, 10n ** 14n),
    quantity: fc.bigInt(1n, 10n ** 12n),
    receiveUs: fc.constant(MIDNIGHT_US),
    sourceSequence: fc.constant(-1),
    frameSequence: fc.nat(),
    frameIndex: fc.constant(0),
    side: fc.nat({ max: 1 }),
    condition: fc.constant(0),
    firstId: fc.constant(0),
    lastId: fc.constant(0),
  }) as fc.Arbitrary<Trade>,
  { minLength: 1, maxLength: 80, selector: ({ instrument, id }) => `${instrument} ${id}` },
);

const size = fc.oneof(fc.bigInt(1n, 30n), fc.bigInt(10n ** 10n, 10n ** 13n));

function filterOf(range: { startUs: number; endUs: number }, instruments: readonly number[]) {
  return {
    instruments: instruments.map((code) => {
      const { exchange, symbol } = INSTRUMENTS[code] as (typeof INSTRUMENTS)[number];
      return { exchange, symbol };
    }),
    ...range,
  };
}

/** In order of (time, id), of the first instrument, in range. */
function mine(all: readonly Trade[]): Trade[] {
  return all
    .filter(
      ({ instrument, timeUs }) =>
        instrument === 0 && timeUs >= RANGE.startUs && timeUs < RANGE.endUs,
    )
    .sort((a, b) => (sortText(a) < sortText(b) ? -1 : 1));
}

async function run(
  all: readonly Trade[],
  request: Parameters<typeof aggregation>[0],
): Promise<readonly PlainRow[]> {
  const middle = all.length >> 1;
  const { files, read } = tradesLake([all.slice(0, middle), all.slice(middle)]);
  const fold = aggregation(request);
  await forEachTrade(read, files, filterOf(RANGE, [0]), (trade) => fold.add(trade));
  return fold.table().rows;
}

/** What a run of trades amounts to, by the plainest of loops. */
function bar(run: readonly Trade[]): PlainRow {
  const prices = run.map(({ price }) => price).sort((a, b) => (a < b ? -1 : 1));
  const ids = run.map(({ id }) => id).sort((a, b) => a - b);
  const volume = run.reduce((sum, { quantity }) => sum + quantity, 0n);
  const quote = run.reduce((sum, one) => sum + one.price * one.quantity, 0n);
  return {
    open: formatScaled(run[0]?.price as bigint, 8),
    high: formatScaled(prices.at(-1) as bigint, 8),
    low: formatScaled(prices[0] as bigint, 8),
    close: formatScaled(run.at(-1)?.price as bigint, 8),
    volume: formatScaled(volume, 8),
    quote_volume: formatScaled(quote, 16),
    vwap: formatScaled((2n * quote + volume) / (2n * volume), 8),
    trade_count: run.length,
    first_trade_id: ids[0] as number,
    last_trade_id: ids.at(-1) as number,
  };
}

test('ohlcv of any interval and vwap', async () => {
  const interval = fc.constantFrom(1, 7, 60, 3_600).map((seconds) => seconds * SECOND);
  await fc.assert(
    fc.asyncProperty(trades, interval, async (all, intervalUs) => {
      const groups = new Map<number, Trade[]>();
      for (const one of mine(all)) {
        const start = Math.floor(one.timeUs / intervalUs) * intervalUs;
        groups.set(start, [...(groups.get(start) ?? []), one]);
      }
      const wanted = [...groups].map(([start, group]) => ({
        window_start: start,
        window_end: start + intervalUs,
        ...bar(group),
      }));
      assert.deepEqual(await run(all, { kind: 'ohlcv', ...RANGE, intervalUs }), wanted);
      const whole = mine(all);
      assert.deepEqual(
        await run(all, { kind: 'vwap', ...RANGE }),
        whole.length === 0
          ? []
          : [{ window_start: RANGE.startUs, window_end: RANGE.endUs, ...bar(whole) }],
      );
    }),
    { numRuns: 60 },
  );
});

test('bars by trades, by volume and by quote volume', async () => {
  const sizeOf = {
    tick_bars: () => 1n,
    volume_bars: (one: Trade) => one.quantity,
    quote_bars: (one: Trade) => one.price * one.quantity,
  } as const;
  const kind = fc.constantFrom('tick_bars', 'volume_bars', 'quote_bars');
  await fc.assert(
    fc.asyncProperty(trades, kind, size, async (all, which, limit) => {
      const full = which === 'quote_bars' ? limit * 10n ** 8n : limit;
      const wanted: PlainRow[] = [];
      let group: Trade[] = [];
      let sum = 0n;
      const close = (is_full: boolean): void => {
        const first_time = group[0]?.timeUs as number;
        const last_time = group.at(-1)?.timeUs as number;
        wanted.push({ first_time, last_time, ...bar(group), is_full });
        group = [];
        sum = 0n;
      };
      for (const one of mine(all)) {
        group.push(one);
        sum += sizeOf[which](one);
        if (sum >= full) close(true);
      }
      if (group.length > 0) close(false);
      assert.deepEqual(await run(all, { kind: which, ...RANGE, size: limit }), wanted);
    }),
    { numRuns: 60 },
  );
});

test('the volume profile', async () => {
  await fc.assert(
    fc.asyncProperty(trades, fc.bigInt(10n ** 11n, 10n ** 14n), async (all, step) => {
      const rows = await run(all, { kind: 'volume_profile', ...RANGE, size: step });
      const at = (one: Trade): bigint => one.price / step;
      const steps = [...new Set(mine(all).map(at))].sort((a, b) => (a < b ? -1 : 1));
      const wanted = steps.map((k) => {
        const group = mine(all).filter((one) => at(one) === k);
        const volume = (side: number): bigint =>
          group.filter((one) => one.side === side).reduce((sum, one) => sum + one.quantity, 0n);
        return {
          price_from: formatScaled(k * step, 8),
          price_to: formatScaled((k + 1n) * step, 8),
          volume: formatScaled(volume(0) + volume(1), 8),
          buy_volume: formatScaled(volume(0), 8),
          sell_volume: formatScaled(volume(1), 8),
          quote_volume: bar(group).quote_volume,
          trade_count: group.length,
        };
      });
      assert.deepEqual(rows, wanted);
    }),
    { numRuns: 60 },
  );
});

/** The price that counts at a microsecond: of the last trade at or before it. */
test('twap is the mean price over time, second by second', async () => {
  const whole = trades.map((all) =>
    // On whole seconds the integral over time is a sum over seconds, which needs no integral.
    all.map((one) => ({ ...one, timeUs: Math.floor(one.timeUs / SECOND) * SECOND })),
  );
  const interval = fc.constantFrom(undefined, 10 * SECOND, 60 * SECOND);
  await fc.assert(
    fc.asyncProperty(whole, interval, async (all, intervalUs) => {
      const sorted = mine(all);
      const windowOf = (us: number): number =>
        intervalUs === undefined ? RANGE.startUs : Math.floor(us / intervalUs) * intervalUs;
      const sums = new Map<number, { sum: bigint; seconds: bigint; trades: number }>();
      for (let us = RANGE.startUs; us < RANGE.endUs; us += SECOND) {
        const price = sorted.findLast(({ timeUs }) => timeUs <= us)?.price;
        if (price === undefined) continue;
        const of = sums.get(windowOf(us)) ?? { sum: 0n, seconds: 0n, trades: 0 };
        of.sum += price;
        of.seconds++;
        of.trades += sorted.filter(({ timeUs }) => timeUs === us).length;
        sums.set(windowOf(us), of);
      }
      const wanted = [...sums].map(([start, { sum, seconds, trades: count }]) => ({
        window_start: start,
        window_end: intervalUs === undefined ? RANGE.endUs : start + intervalUs,
        twap: formatScaled((2n * sum + seconds) / (2n * seconds), 8),
        covered_us: Number(seconds) * SECOND,
        trade_count: count,
      }));
      const request = { kind: 'twap', ...RANGE, ...(intervalUs && { intervalUs }) } as const;
      assert.deepEqual(await run(all, request), wanted);
    }),
    { numRuns: 60 },
  );
});

test('DuckDB computes the same candles, profiles and sums from the same files', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'bullion-aggregation-'));
  try {
    const all = fc.sample(trades, { seed: 5, numRuns: 40 }).flat();
    const unique = [...new Map(all.map((one) => [`${one.instrument} ${one.id}`, one])).values()];
    const { files, read } = tradesLake([unique]);
    const paths: string[] = [];
    for (const { path } of files) {
      const to = join(dir, `${paths.length}.parquet`);
      writeFileSync(to, await read(path));
      paths.push(`'${to}'`);
    }
    const from = `(select *, epoch_us(timestamp) as us, split_part(trade_id, '-', 2)::bigint as id
      from read_parquet([${paths}], hive_partitioning = false)
      where exchange = 'KRAKEN' and symbol = 'BTCUSD'
        and epoch_us(timestamp) >= ${RANGE.startUs} and epoch_us(timestamp) < ${RANGE.endUs})`;
    const candles = await query(`select (us // 7000000) * 7000000 as window_start,
        first(price order by us, id)::varchar as open, max(price)::varchar as high,
        min(price)::varchar as low, last(price order by us, id)::varchar as close,
        sum(quantity)::varchar as volume,
        sum(price::decimal(38, 8) * quantity)::varchar as quote_volume, count(*) as trade_count
      from ${from} group by 1 order by 1`);
    const ours = await run(unique, { kind: 'ohlcv', ...RANGE, intervalUs: 7 * SECOND });
    assert.ok(candles.length > 10);
    assert.deepEqual(
      ours.map(({ window_start, open, high, low, close, volume, quote_volume, trade_count }) => ({
        ...{ window_start: String(window_start), open, high, low, close, volume, quote_volume },
        trade_count: String(trade_count),
      })),
      candles.map((row) => ({ ...row, trade_count: String(row.trade_count) })),
    );
    const profile = await query(`select (price * 1e8)::hugeint // 1000000000000 as step,
        sum(quantity) filter (side = 'BUY') as buy, sum(quantity)::varchar as volume
      from ${from} group by 1 order by 1`);
    assert.deepEqual(
      (await run(unique, { kind: 'volume_profile', ...RANGE, size: 10n ** 12n })).map(
        ({ volume }) => volume,
      ),
      profile.map(({ volume }) => volume),
    );
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
});

test('more rows than an answer may have are refused', () => {
  const fold = aggregation({ kind: 'tick_bars', ...RANGE, size: 1n });
  const trade: SortedTrade = {
    timeUs: RANGE.startUs,
    id: 1,
    instrument: 0,
    price: 1n,
    quantity: 1n,
    isBuy: true,
  };
  for (let i = 0; i < AGGREGATION_ROWS_MAX; i++) fold.add(trade);
  assert.equal(fold.table().rows.length, AGGREGATION_ROWS_MAX);
  assert.throws(() => fold.add(trade), TooManyRows);
});

test('a comparison is an as-of join', async () => {
  const interval = fc.constantFrom(undefined, SECOND, 15 * SECOND);
  const maxAge = fc.constantFrom(1, 20 * SECOND, 300 * SECOND);
  await fc.assert(
    fc.asyncProperty(trades, interval, maxAge, async (all, intervalUs, maxAgeUs) => {
      const { files, read } = tradesLake([all]);
      const join = new Comparison({
        exchanges: ['KRAKEN', 'COINBASE'],
        ...RANGE,
        ...(intervalUs !== undefined && { intervalUs }),
        maxAgeUs,
        rowsMax: 10_000,
      });
      const early = { startUs: RANGE.startUs - maxAgeUs, endUs: RANGE.endUs };
      await forEachTrade(read, files, filterOf(early, PAIR), (trade) => join.add(trade));
      const sorted = [...all].sort((a, b) => (sortText(a) < sortText(b) ? -1 : 1));
      const inRange = (us: number): boolean => us >= RANGE.startUs && us < RANGE.endUs;
      const times: number[] =
        intervalUs === undefined
          ? [...new Set(sorted.map(({ timeUs }) => timeUs))].filter(inRange)
          : Array.from(
              { length: Math.ceil((RANGE.endUs - RANGE.startUs) / intervalUs) + 1 },
              (_, i) => (Math.ceil(RANGE.startUs / intervalUs) + i) * intervalUs,
            ).filter(inRange);
      const wanted = times.flatMap((time) => {
        const [kraken, coinbase] = PAIR.map((code) => {
          const last = sorted.findLast((one) => one.instrument === code && one.timeUs <= time);
          return last !== undefined && time - last.timeUs <= maxAgeUs ? last : undefined;
        });
        const both = [kraken, coinbase].flatMap((one) => (one === undefined ? [] : [one.price]));
        if (both.length === 0) return [];
        both.sort((a, b) => (a < b ? -1 : 1));
        const low = both[0] as bigint;
        const high = both.at(-1) as bigint;
        const price = (one: Trade | undefined) => (one ? formatScaled(one.price, 8) : null);
        return [
          {
            time,
            kraken_price: price(kraken),
            kraken_age_us: kraken ? time - kraken.timeUs : null,
            coinbase_price: price(coinbase),
            coinbase_age_us: coinbase ? time - coinbase.timeUs : null,
            lowest: kraken?.price === low ? 'KRAKEN' : 'COINBASE',
            highest: kraken?.price === high ? 'KRAKEN' : 'COINBASE',
            spread: formatScaled(high - low, 8),
            spread_bps: formatScaled((2n * (high - low) * 10n ** 12n + low) / (2n * low), 8),
          },
        ];
      });
      assert.deepEqual(join.table().rows, wanted);
    }),
    { numRuns: 60 },
  );
});
