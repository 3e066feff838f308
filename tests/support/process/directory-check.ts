/**
 * The promise of a data directory, checked from outside: the tables opened by icebird and their files
 * read by DuckDB, the log read by bronze-reading.ts, the truth from the simulator's journal, the
 * candles folded with BigInts.
 */
import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { candleTable } from '#schemas/candle';
import { EXCHANGES, type Exchange, exchangeKey } from '#schemas/exchange';
import { TIMEFRAMES } from '#schemas/timeframe';
import { GOLD_TRADES, silverTable } from '#schemas/trade';
import type { JournalTrade } from '#src/simulator/journal';
import type { Simulator } from '#src/simulator/server';
import { StateStore } from '#src/state/store';
import type { SeenTable } from '#tests/iceberg/independent-reader';
import { assertLakeInLine } from '#tests/iceberg/lake-check';
import { query } from '#tests/lake/duckdb';
import { readSegments, type ToldTrade, tradesOf } from '#tests/support/process/bronze-reading';
import { runFile } from '#tests/support/process/bullion-process';
import { foldCandles, type GoldTrade } from '#tests/support/process/candle-fold';
import { ALLOWED_LATENESS_US, type World } from '#tests/support/process/simulated-world';

const FEED = { BINANCE: 'binance-trade', KRAKEN: 'kraken', COINBASE: 'coinbase' } as const;

export interface CheckedDirectory {
  readonly gold: number;
  readonly silver: number;
  readonly frames: number;
  readonly epoch: number;
  /** Ids between the first and the last that are not in gold, by whether the exchange lost them. */
  readonly missing: { readonly lost: number; readonly served: number };
}

/** The same texts equally often, in any order; a difference shows only where it is. */
function same(actual: readonly string[], expected: readonly string[], what: string): void {
  const surplus = new Map<string, number>();
  for (const text of actual) surplus.set(text, (surplus.get(text) ?? 0) + 1);
  for (const text of expected) surplus.set(text, (surplus.get(text) ?? 0) - 1);
  const wrong = [...surplus].filter(([, count]) => count !== 0);
  const shown = wrong.slice(0, 8).map(([text, count]) => `${count > 0 ? '+' : '-'} ${text}`);
  assert.equal(wrong.length, 0, `${what}: ${wrong.length} differ\n${shown.join('\n')}`);
}

const keyOf = (exchange: string, symbol: string, id: number): string =>
  `${exchange}|${symbol}|${id}`;

/** A decimal number as text, scaled by 10^scale. */
function scaled(text: string, scale = 8): bigint {
  const [whole = '', fraction = ''] = text.split('.');
  assert.ok(fraction.length <= scale, text);
  return BigInt(whole + fraction.padEnd(scale, '0'));
}

export function journalOf(simulator: Simulator): Map<string, JournalTrade> {
  const trades = EXCHANGES.flatMap((exchange) => [...simulator.journal.trades(FEED[exchange])]);
  return new Map(trades.map((trade) => [keyOf(trade.exchange, trade.symbol, trade.id), trade]));
}

/** Checks everything; nothing may write to the directory meanwhile. */
export async function checkDirectory({
  cwd,
  env,
  dataDir,
  simulator,
  exchanges,
}: World): Promise<CheckedDirectory> {
  const journal = journalOf(simulator);
  const lake = join(dataDir, 'lake');

  const store = await StateStore.open(join(dataDir, 'state'), { readOnly: true });
  const { epoch, progress } = store.epoch();
  const tables = await assertLakeInLine(lake, store);
  const from = (name: string): string | undefined => shownFiles(lake, tables.get(name));
  await store.close();
  assert.deepEqual(
    filesBelow(dataDir).filter((path) => /\.(tmp|probe)$/.test(path)),
    [],
  );

  const gold = await readGold(from(GOLD_TRADES));
  const ids = new Map<string, number[]>();
  for (const trade of gold) {
    const key = keyOf(trade.exchange, trade.symbol, trade.id);
    const truth = journal.get(key);
    assert.ok(truth !== undefined && !truth.lost, `${key} never happened`);
    assert.equal(trade.price, scaled(truth.price), key);
    assert.equal(trade.quantity, scaled(truth.quantity), key);
    assert.equal(trade.timeUs, truth.timeUs, key);
    assert.equal(trade.side, truth.side, key);
    const instrument = `${trade.exchange}|${trade.symbol}`;
    const known = ids.get(instrument);
    if (known === undefined) ids.set(instrument, [trade.id]);
    else known.push(trade.id);
  }
  const unique = new Set(gold.map(({ exchange, symbol, id }) => keyOf(exchange, symbol, id)));
  assert.equal(unique.size, gold.length, 'no trade is in gold twice');

  const watermarkUs = new Map<string, number>();
  let frames = 0;
  let silver = 0;
  for (const exchange of exchanges) {
    const log = readSegments(join(dataDir, 'bronze', exchangeKey(exchange)));
    const all = log.flatMap((segment) => segment.frames);
    frames += all.length;
    for (const [i, { sequence }] of all.entries()) assert.equal(sequence, i, exchange);
    watermarkUs.set(
      exchange,
      all.reduce((max, { receiveUs }) => Math.max(max, receiveUs), 0),
    );
    const position = progress.find((p) => p.exchange === exchange)?.nextSequence;
    assert.equal(position, all.length, `the last epoch covers the whole log of ${exchange}`);
    const valid = all
      .flatMap((frame) => tradesOf(exchange, frame))
      .filter((trade) => isTrue(exchange, trade, journal));
    for (const trade of valid) {
      const key = keyOf(exchange, trade.nativeSymbol.replace(/[/-]/, ''), trade.id);
      assert.ok(unique.has(key), `${key} is in the log (at ${trade.place}) and not in gold`);
    }
    const places = valid.map(({ place }) => `${place}`);
    same(
      await silverPlaces(from(silverTable(exchangeKey(exchange)))),
      places,
      `silver of ${exchange}`,
    );
    silver += places.length;
    const told = new Set(valid.map(({ nativeSymbol, id }) => `${nativeSymbol} ${id}`));
    assert.equal(
      gold.filter((trade) => trade.exchange === exchange).length,
      told.size,
      `gold of ${exchange} has what its log has and no more`,
    );
  }

  const folded = foldCandles(gold, ALLOWED_LATENESS_US, watermarkUs);
  for (const timeframe of TIMEFRAMES) {
    const expected = (folded.get(timeframe) ?? []).map((row) => JSON.stringify(row));
    same(await candles(from(candleTable(timeframe))), expected, timeframe);
  }

  const missing = { lost: 0, served: 0 };
  const ledger: string[] = [];
  for (const [instrument, seen] of ids) {
    seen.sort((a, b) => a - b);
    for (const [i, id] of seen.entries()) {
      const before = seen[i - 1] ?? id - 1;
      if (before + 1 === id) continue;
      ledger.push(`${instrument}|${before + 1}|${id - 1}`);
      for (let gone = before + 1; gone < id; gone++) {
        const truth = journal.get(`${instrument}|${gone}`);
        assert.ok(truth !== undefined, `${instrument} ${gone} is between two trades`);
        missing[truth.lost ? 'lost' : 'served']++;
      }
    }
  }
  const told = (await gapLedger({ cwd, env })).map(
    ({ instrument, fromId, toId }) => `${instrument}|${fromId}|${toId}`,
  );
  same(told, ledger, 'the gap ledger and what gold lacks');
  return { gold: gold.length, silver, frames, epoch, missing };
}

interface LedgerRow {
  readonly instrument: string;
  readonly fromId: number;
  readonly toId: number;
}

async function gapLedger(place: Pick<World, 'cwd' | 'env'>): Promise<LedgerRow[]> {
  const { code, stdout, stderr } = await runFile('cli.js', ['gaps', '--json'], place);
  assert.equal(code, 0, stderr);
  return stdout
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Record<string, unknown>)
    .map(({ exchange, symbol, from_id, to_id }) => ({
      instrument: `${exchange}|${symbol}`,
      fromId: Number(from_id),
      toId: Number(to_id),
    }));
}

/** Ids the gap ledger names although their exchange has them to give. */
export async function idsToFetch(world: World): Promise<string[]> {
  const journal = journalOf(world.simulator);
  const open: string[] = [];
  for (const { instrument, fromId, toId } of await gapLedger(world)) {
    for (let id = fromId; id <= toId; id++) {
      if (journal.get(`${instrument}|${id}`)?.lost === false) open.push(`${instrument}|${id}`);
    }
  }
  return open;
}

/** Whether a told trade is the one that happened: a broken copy of it differs somewhere. */
function isTrue(
  exchange: Exchange,
  trade: ToldTrade,
  journal: ReadonlyMap<string, JournalTrade>,
): boolean {
  const truth = journal.get(keyOf(exchange, trade.nativeSymbol.replace(/[/-]/, ''), trade.id));
  return (
    truth !== undefined &&
    truth.nativeSymbol === trade.nativeSymbol &&
    Number(truth.price) === trade.price &&
    Number(truth.quantity) === trade.quantity &&
    truth.timeUs === trade.timeUs &&
    truth.side === trade.side
  );
}

function filesBelow(directory: string): string[] {
  return readdirSync(directory, { withFileTypes: true, recursive: true })
    .filter((entry) => !entry.isDirectory())
    .map((entry) => join(entry.parentPath, entry.name).slice(directory.length + 1))
    .sort();
}

/** What DuckDB is to read: the files a table shows; undefined when there are none. */
function shownFiles(lake: string, table: SeenTable | undefined): string | undefined {
  if (table === undefined || table.files.size === 0) return undefined;
  const list = [...table.files.keys()].map((path) => `'${join(lake, path)}'`).join(', ');
  return `read_parquet([${list}], hive_partitioning=false)`;
}

async function readGold(table: string | undefined): Promise<GoldTrade[]> {
  if (table === undefined) return [];
  const rows = await query(
    `SELECT exchange, symbol, trade_id, epoch_us("timestamp") AS time_us, price::VARCHAR AS price,
       quantity::VARCHAR AS quantity, side, epoch_us(ingestion_timestamp) AS receive_us,
       platform_sequence FROM ${table}`,
  );
  return rows.map((row) => ({
    exchange: String(row.exchange),
    symbol: String(row.symbol),
    id: Number(String(row.trade_id).replace(`${row.exchange}-`, '')),
    timeUs: Number(row.time_us),
    price: scaled(String(row.price)),
    quantity: scaled(String(row.quantity)),
    side: String(row.side),
    receiveUs: Number(row.receive_us),
    place: BigInt(String(row.platform_sequence)),
  }));
}

async function silverPlaces(table: string | undefined): Promise<string[]> {
  if (table === undefined) return [];
  const rows = await query(`SELECT platform_sequence AS place FROM ${table}`);
  return rows.map(({ place }) => String(place));
}

/** The rows of a candle table, in the spelling of foldCandles. */
async function candles(table: string | undefined): Promise<string[]> {
  if (table === undefined) return [];
  const rows = await query(
    `SELECT exchange, symbol, epoch_us(window_start) AS window_start,
       epoch_us(window_end) AS window_end, open_price::VARCHAR AS open_price,
       high_price::VARCHAR AS high_price, low_price::VARCHAR AS low_price,
       close_price::VARCHAR AS close_price, volume::VARCHAR AS volume, trade_count,
       vwap::VARCHAR AS vwap, quote_volume::VARCHAR AS quote_volume, first_trade_id,
       last_trade_id, revision, is_final, is_complete FROM ${table}`,
  );
  const decimals = /^(open|high|low|close)_price$|^volume$|^vwap$/;
  return rows.map((row) =>
    JSON.stringify(
      Object.fromEntries(
        Object.entries(row).map(([column, value]) => {
          const text = String(value);
          if (column === 'quote_volume') return [column, `${scaled(text, 16)}`];
          return [column, decimals.test(column) ? `${scaled(text)}` : text];
        }),
      ),
    ),
  );
}
