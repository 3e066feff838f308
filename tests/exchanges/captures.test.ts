/** Recorded frames of the three exchanges give every trade in them and no dead letter. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { recordedData } from '#bench/captures';
import type { Exchange } from '#schemas/exchange';
import { CONDITION_IMPORTED, CONDITION_SNAPSHOT } from '#schemas/trade';
import { createFrameParser } from '#src/exchanges/frame-parsers';
import { KIND_CSV, KIND_IMPORT } from '#src/log/frame';
import { Validator } from '#src/trades/validator';
import { INSTRUMENTS } from '#tests/support/instruments';
import { type GoodRow, type Verdict, verdict } from './rows.js';

const NEWLINE = 10;
/** Later than everything recorded. */
const RECEIVED_US = Date.UTC(2026, 6, 8) * 1000;

interface Expected {
  readonly exchange: Exchange;
  readonly file: string;
  readonly control: number;
  readonly snapshots: number;
  /** Trades by instrument. */
  readonly trades: Readonly<Record<string, number>>;
}

const CAPTURES: readonly Expected[] = [
  {
    exchange: 'BINANCE',
    file: 'captures/binance-btc-eth-2026-07-07.ndjson',
    control: 900,
    snapshots: 0,
    trades: { BTCUSDT: 748, ETHUSDT: 415 },
  },
  {
    exchange: 'COINBASE',
    file: 'captures/coinbase-btc-eth-2026-07-07.ndjson',
    control: 2019,
    snapshots: 2,
    trades: { 'BTC-USD': 345, 'ETH-USD': 92 },
  },
  {
    exchange: 'KRAKEN',
    file: 'captures/kraken-btc-eth-2026-07-07.ndjson',
    control: 2990,
    snapshots: 0,
    trades: { 'BTC/USD': 12, 'ETH/USD': 5 },
  },
];

for (const { exchange, file, control, snapshots, trades } of CAPTURES) {
  test(`${file}: every trade, ids contiguous, nothing dead`, (t) => {
    const path = recordedData(file);
    if (path === undefined) {
      t.skip(`${file} is not there`);
      return;
    }
    const bytes = readFileSync(path);
    const validator = new Validator(createFrameParser(exchange, INSTRUMENTS, 'trade'));
    const verdicts: Verdict[] = [];
    for (let start = 0; start < bytes.length; ) {
      const newline = bytes.indexOf(NEWLINE, start);
      const end = newline < 0 ? bytes.length : newline;
      const frameClass = validator.validate(bytes, start, end, KIND_IMPORT, RECEIVED_US);
      verdicts.push(verdict(frameClass, validator.parsed));
      start = end + 1;
    }
    assert.deepEqual(
      verdicts.filter((each) => each.class === 'dead'),
      [],
    );
    assert.equal(verdicts.filter((each) => each.class === 'control').length, control);
    const rows = verdicts.flatMap((each) => (each.class === 'trades' ? each.rows : []));
    const good = rows.filter((row): row is GoodRow => typeof row === 'object');
    assert.equal(good.length, rows.length, `reasons: ${rows.filter((r) => typeof r === 'string')}`);
    assert.ok(good.every((row) => (row.condition & CONDITION_IMPORTED) !== 0));
    assert.equal(good.filter((row) => row.condition & CONDITION_SNAPSHOT).length, snapshots);
    for (const [symbol, count] of Object.entries(trades)) {
      const { code } = INSTRUMENTS.find((each) => each.nativeSymbol === symbol) ?? { code: -1 };
      const ids = good.filter((row) => row.instrument === code).map((row) => row.tradeId);
      assert.equal(ids.length, count, symbol);
      assert.deepEqual(
        ids,
        ids.map((_, i) => ids[0] + i),
        `${symbol} is contiguous`,
      );
    }
  });
}

test('binance-trxusdt-2025-03-04/trades.csv: 10,000 rows as CSV frames', (t) => {
  const path = recordedData('binance-trxusdt-2025-03-04/trades.csv');
  if (path === undefined) {
    t.skip('trades.csv is not there');
    return;
  }
  const [header, ...lines] = readFileSync(path, 'utf8').trim().split(/\r?\n/);
  const columns = ['TradeId', 'Price', 'Quantity', 'TransactionTime', 'IsBuyerMarketMaker'].map(
    (name) => header.split(',').indexOf(name),
  );
  const validator = new Validator(createFrameParser('BINANCE', INSTRUMENTS, 'trade'));
  const ids: number[] = [];
  let sum = 0n;
  for (const line of lines) {
    const bytes = Buffer.from(`TRXUSDT trades ${columns}\n${line}`);
    const found = verdict(
      validator.validate(bytes, 0, bytes.length, KIND_CSV, RECEIVED_US),
      validator.parsed,
    );
    const [row] = found.class === 'trades' ? found.rows : [];
    assert.ok(typeof row === 'object', `${line}: ${row}`);
    ids.push(row.tradeId);
    sum += row.quantity;
  }
  assert.equal(ids.length, 10_000);
  assert.deepEqual(
    ids,
    ids.map((_, i) => 348_656_870 + i),
  );
  const expected = lines.reduce((total, line) => {
    const [whole, fraction = ''] = line.split(',')[columns[2]].split('.');
    return total + BigInt(whole + fraction.padEnd(8, '0'));
  }, 0n);
  assert.equal(sum, expected);
});
