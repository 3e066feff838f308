/**
 * The whole pipeline against an independent oracle: hours of simulated trading with every fault on,
 * through the real threads, and then every row of every table and every record of the state.
 */
import assert from 'node:assert/strict';
import test from 'node:test';
import { REASONS } from '#schemas/dead-letter';
import { EXCHANGES, type Exchange } from '#schemas/exchange';
import { FEED_EXCHANGE } from '#src/simulator/frame-format';
import type { OfflineSimulation } from '#src/simulator/offline';
import { badDay } from '#tests/pipeline/bad-day';
import { compareAll, sameLines } from '#tests/pipeline/compare';
import { imported, recordings, replays } from '#tests/pipeline/later-frames';
import { appendLog, appendSimulation, newOracle } from '#tests/pipeline/logs';
import { temporaryDirectory, withPipeline } from '#tests/pipeline/pipeline';
import { decimalText } from '#tests/support/oracle/candles';
import type { Oracle } from '#tests/support/oracle/oracle';

const HOUR_US = 3_600_000_000;
/** Crosses midnight and the end of a month: the 1d tables get a partition more. */
const START_US = Date.UTC(2026, 6, 31, 22, 30) * 1000;
const LATENESS_MS = 30_000;

test('hours of every fault: tables, records, dead letters and gaps equal the oracle', async (t) => {
  const directory = temporaryDirectory();
  t.after(directory.remove);
  const dir = directory.path;
  const oracles = new Map(
    EXCHANGES.map((exchange) => [exchange, newOracle(exchange, LATENESS_MS)]),
  );
  const oracleOf = (exchange: Exchange): Oracle => oracles.get(exchange)!;
  const day = badDay({
    seed: 20_260_731,
    startUs: START_US,
    durationUs: 3 * HOUR_US,
    rate: 3,
    instrumentsPerExchange: 4,
  });
  await appendSimulation(dir, day, oracleOf);
  compareWithJournal(day, oracleOf);

  await t.test('from nothing, in several epochs', async (t) => {
    const shape = { goldShards: 2, batchRows: 512, slotsPerShard: 8, chunkRows: 8192 };
    await withPipeline(
      dir,
      { ...shape, epochRows: 40_000, allowedLatenessMs: LATENESS_MS },
      async ({ run }) => {
        assert.ok((await run.finish(() => {})) > 1);
      },
      async (held) => t.diagnostic(JSON.stringify(await compareAll(held, [...oracles.values()]))),
    );
  });

  await t.test('gone on with: imports, rows of files, older history, replays', async (t) => {
    const before = badDay({
      seed: 20_260_730,
      startUs: START_US - 26 * HOUR_US,
      durationUs: HOUR_US / 2,
      rate: 3,
      instrumentsPerExchange: 4,
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
    }
    const shape = { validationShards: 3, goldShards: 3, batchRows: 64, slotsPerShard: 4 };
    await withPipeline(
      dir,
      { ...shape, epochRows: 10_000, allowedLatenessMs: LATENESS_MS },
      async ({ run }) => {
        assert.ok((await run.finish(() => {})) > 1);
      },
      async (held) => t.diagnostic(JSON.stringify(await compareAll(held, [...oracles.values()]))),
    );
  });
});

/** The oracle itself against what the simulator wrote down before it sent anything. */
function compareWithJournal(
  { journal, feeds }: OfflineSimulation,
  oracleOf: (exchange: Exchange) => Oracle,
): void {
  const reasonsSeen = new Set<string>();
  for (const feed of feeds) {
    const oracle = oracleOf(FEED_EXCHANGE[feed]);
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

    const gaps = oracle.gaps();
    const missing = journal.gaps(feed);
    const symbolOf = new Map(oracle.gold.map(({ instrument: i }) => [i.nativeSymbol, i.symbol]));
    const line = (symbol: string | undefined, ...numbers: number[]): string =>
      [symbol, ...numbers].join('|');
    sameLines(
      `${feed}: gaps`,
      gaps.map((g) => line(g.symbol, g.fromId, g.toId, g.afterUs, g.beforeUs)).sort(),
      missing
        .map((g) => line(symbolOf.get(g.nativeSymbol), g.firstId, g.lastId, g.afterUs, g.beforeUs))
        .sort(),
    );

    const expected = journal.deadLetters(feed);
    sameLines(
      `${feed}: dead letters`,
      oracle.deadLetters.map(
        ({ reason, index, raw }) => `${reason} ${index} ${raw.toString('hex')}`,
      ),
      expected.map(
        ({ reason, recordIndex, bytes }) =>
          `${reason} ${recordIndex} ${Buffer.from(bytes!).toString('hex')}`,
      ),
    );
    for (const { reason } of expected) if (reason !== undefined) reasonsSeen.add(reason);
    assert.ok(gaps.length > 0, `${feed} has no gap: the test has become too tame`);
  }
  const never = REASONS.filter(({ name }) => !reasonsSeen.has(name)).map(({ name }) => name);
  assert.deepEqual(never, [], 'reasons that never came up');
}

function eightDecimals(decimal: string): string {
  const [whole, fraction = ''] = decimal.split('.');
  return `${whole}.${fraction.padEnd(8, '0')}`;
}
