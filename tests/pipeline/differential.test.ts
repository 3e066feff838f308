/**
 * The whole pipeline against an independent oracle: hours of simulated trading with every fault on,
 * through the real threads, and then every row of every table and every record of the state.
 */
import assert from 'node:assert/strict';
import test, { type TestContext } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { REASONS } from '#schemas/dead-letter';
import { EXCHANGES, type Exchange } from '#schemas/exchange';
import { TIMEFRAME_US, TIMEFRAMES } from '#schemas/timeframe';
import { FEED_EXCHANGE, type Feed } from '#src/simulator/frame-format';
import type { OfflineRun } from '#src/supervision/offline-run';
import { assertLakeInLine } from '#tests/iceberg/lake-check';
import { badDay } from '#tests/pipeline/bad-day';
import { compareAll, compareWithJournal } from '#tests/pipeline/compare';
import { boundaries, edges, imported, recordings, replays } from '#tests/pipeline/later-frames';
import { appendLog, appendSimulation, newOracle } from '#tests/pipeline/logs';
import {
  INSTRUMENTS,
  type Shape,
  temporaryDirectory,
  withPipeline,
} from '#tests/pipeline/pipeline';
import { type OracleCandle, oracleCandles } from '#tests/support/oracle/candles';
import type { Oracle } from '#tests/support/oracle/oracle';

const HOUR_US = 3_600_000_000;
const LATENESS_MS = 30_000;
/** Crosses midnight and the end of a month: every candle table gets a partition more. */
const START_US = Date.UTC(2026, 6, 31, 22, 10) * 1000;

test('hours of every fault: tables, records, dead letters and gaps equal the oracle', async (t) => {
  const directory = temporaryDirectory();
  t.after(directory.remove);
  const dir = directory.path;
  const oracles = EXCHANGES.map((exchange) => newOracle(exchange, LATENESS_MS));
  const oracleOf = (exchange: Exchange): Oracle => oracles[EXCHANGES.indexOf(exchange)]!;
  const day = badDay({
    seed: 20_260_731,
    startUs: START_US,
    durationUs: 3 * HOUR_US,
    rate: 2.5,
    instrumentsPerExchange: 9,
    backfill: true,
  });
  await appendSimulation(dir, day, oracleOf);
  const reasons = new Set<string>();
  for (const feed of day.feeds) {
    compareWithJournal(day.journal, feed, oracleOf(FEED_EXCHANGE[feed]));
    for (const { reason } of oracleOf(FEED_EXCHANGE[feed]).deadLetters) reasons.add(reason);
  }
  const names = REASONS.map(({ name }) => name);
  assert.deepEqual(
    names.filter((name) => !reasons.has(name)),
    [],
    'reasons that never came up',
  );

  await t.test('from nothing, in several epochs', async (t) => {
    const shape = { goldShards: 2, batchRows: 512, slotsPerShard: 8, chunkRows: 8192 };
    await runAndCompare(t, dir, { ...shape, epochRows: 40_000 }, oracles);
  });

  await t.test('gone on with: recordings, files, older history, replays, edges', async (t) => {
    const before = badDay({
      seed: 20_260_730,
      startUs: START_US - 26 * HOUR_US,
      durationUs: HOUR_US / 2,
      rate: 2.5,
      instrumentsPerExchange: 9,
      backfill: true,
      firstIdsBack: 1_000_000,
    });
    for (const feed of day.feeds) {
      const exchange = FEED_EXCHANGE[feed];
      const oracle = oracleOf(exchange);
      const letters = oracle.deadLetters.slice(0, 400);
      const nowUs = oracle.watermarkUs + HOUR_US;
      await appendLog(dir, exchange, recordings(day.journal, feed, nowUs), oracle);
      await appendLog(dir, exchange, imported(before.frames(feed)), oracle);
      await appendLog(dir, exchange, replays(letters), oracle);
      const [one, other] = untraded(exchange);
      await appendLog(dir, exchange, edges(exchange, one, nowUs + 1), oracle);
      const isFinal = exchange !== 'COINBASE';
      const exact = boundaries(exchange, other, nowUs + 1, 1000 * LATENESS_MS, isFinal);
      await appendLog(dir, exchange, exact, oracle);
    }
    const shape = { validationShards: 3, goldShards: 3, batchRows: 64, slotsPerShard: 4 };
    await runAndCompare(t, dir, { ...shape, epochRows: 10_000 }, oracles);
    assertEventful(oracles, HOUR_US / 4);
  });
});

test('aggregates and Advanced Trade, one log growing while it is read', async (t) => {
  const directory = temporaryDirectory();
  t.after(directory.remove);
  const dir = directory.path;
  const feeds: readonly Feed[] = ['binance-aggtrade', 'coinbase-advanced'];
  const oracles = EXCHANGES.map((exchange) => newOracle(exchange, LATENESS_MS, true));
  const [binance, , coinbase] = oracles as [Oracle, Oracle, Oracle];
  const day = badDay({
    seed: 20_261_123,
    startUs: Date.UTC(2026, 10, 23, 23, 40) * 1000,
    durationUs: HOUR_US / 2,
    rate: 8,
    feeds,
    exchanges: ['BINANCE', 'COINBASE'],
    instrumentsPerExchange: 5,
    backfill: false,
  });
  await appendLog(dir, 'BINANCE', day.frames('binance-aggtrade'), binance);
  compareWithJournal(day.journal, 'binance-aggtrade', binance);
  const nowUs = binance.watermarkUs + HOUR_US;
  const late = recordings(day.journal, 'binance-aggtrade', nowUs);
  await appendLog(dir, 'BINANCE', late, binance);

  const shape: Shape = { binanceStream: 'aggTrade', appendTo: 'COINBASE', epochRows: 5_000 };
  await runAndCompare(t, dir, shape, oracles, async (run) => {
    let frames = 0;
    for (const { bytes, kind, connection, receiveTimeUs } of day.frames('coinbase-advanced')) {
      run.writer!.append(bytes, kind, connection, receiveTimeUs);
      coinbase.frame(bytes, kind, receiveTimeUs);
      if (++frames % 200 !== 0) continue;
      run.appended();
      await turn();
    }
    compareWithJournal(day.journal, 'coinbase-advanced', coinbase);
  });
  assertEventful(oracles, HOUR_US / 60);
});

/** Runs the pipeline to the end of every log, in more than one epoch, and compares all it made. */
async function runAndCompare(
  t: TestContext,
  dir: string,
  shape: Shape,
  oracles: readonly Oracle[],
  during: (run: OfflineRun) => Promise<void> = async () => {},
): Promise<void> {
  await withPipeline(
    dir,
    { ...shape, allowedLatenessMs: LATENESS_MS },
    async ({ run }) => {
      await during(run);
      assert.ok((await run.finish(() => {})) > 1, 'all in one epoch');
    },
    async (held) => {
      t.diagnostic(JSON.stringify(await compareAll(held, oracles)));
      await assertLakeInLine(held.lake, held.store);
    },
  );
}

/**
 * A comparison of days on which nothing happened would prove nothing: at every timeframe there are
 * candles of every kind; complete ones only up to a length that can pass without a gap.
 */
function assertEventful(oracles: readonly Oracle[], completeUpToUs: number): void {
  for (const [k, timeframe] of TIMEFRAMES.entries()) {
    const candles = oracles.flatMap((oracle) => oracleCandles(oracle, k));
    const count = (is: (candle: OracleCandle) => boolean): number => candles.filter(is).length;
    assert.ok(count(({ isFinal }) => !isFinal) > 0, `every ${timeframe} candle is final`);
    assert.ok(count(({ isFinal }) => isFinal) > 0, `no ${timeframe} candle is final`);
    assert.ok(count(({ late }) => late[k]! > 0) > 0, `no ${timeframe} candle is revised`);
    assert.ok(count(({ isComplete }) => !isComplete) > 0, `every ${timeframe} candle is complete`);
    if (TIMEFRAME_US[k]! > completeUpToUs) continue;
    assert.ok(count(({ isComplete }) => isComplete) > 0, `no ${timeframe} candle is complete`);
  }
}

/** Two instruments that the simulations leave alone. */
function untraded(exchange: Exchange): [string, string] {
  const all = INSTRUMENTS.filter((instrument) => instrument.exchange === exchange);
  return [all.at(-1)!.nativeSymbol, all.at(-2)!.nativeSymbol];
}
