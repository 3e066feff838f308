/** Pages of trades against a model that just sorts a list. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Column } from '#schemas/schema';
import { TRADE } from '#schemas/trade';
import { mayMatch, type TradeFilter, type TradeKey } from '#src/query/trade-filter';
import { tradePage } from '#src/query/trade-page';
import { INSTRUMENTS, MIDNIGHT_US, type Trade, trade } from '#tests/lake/trade-rows';
import { instrumentOf, sortText, tradesLake } from '#tests/query/trades-lake';

const FIELDS = ['trade_id', 'symbol', 'exchange', 'timestamp', 'price', 'vendor_data'];

const trades = fc.uniqueArray(trade, { minLength: 1, maxLength: 60, selector: sortText });

const filter: fc.Arbitrary<TradeFilter> = fc
  .record({
    instruments: fc.subarray([...INSTRUMENTS], { minLength: 1 }),
    startUs: fc.constantFrom(0, MIDNIGHT_US - 1, MIDNIGHT_US, MIDNIGHT_US + 1),
    endUs: fc.constantFrom(MIDNIGHT_US, MIDNIGHT_US + 1, MIDNIGHT_US + 3_600_000_001, 2 ** 53),
    side: fc.option(fc.constantFrom('BUY' as const, 'SELL' as const)),
    priceMin: fc.option(fc.bigInt(1n, 10n ** 12n)),
    priceMax: fc.option(fc.bigInt(10n ** 10n, 10n ** 18n)),
    quantityMin: fc.option(fc.bigInt(1n, 10n ** 12n)),
  })
  .map(({ instruments, side, priceMin, priceMax, quantityMin, ...range }) => ({
    instruments: instruments.map(({ exchange, symbol }) => ({ exchange, symbol })),
    ...range,
    ...(side !== null && { side }),
    ...(priceMin !== null && { priceMin }),
    ...(priceMax !== null && { priceMax }),
    ...(quantityMin !== null && { quantityMin }),
  }));

function matches(one: Trade, wanted: TradeFilter): boolean {
  const { exchange, symbol } = instrumentOf(one);
  return (
    wanted.instruments.some((i) => i.exchange === exchange && i.symbol === symbol) &&
    one.timeUs >= wanted.startUs &&
    one.timeUs < wanted.endUs &&
    (wanted.side === undefined || (wanted.side === 'BUY') === (one.side === 0)) &&
    one.price >= (wanted.priceMin ?? 0n) &&
    one.price <= (wanted.priceMax ?? 10n ** 20n) &&
    one.quantity >= (wanted.quantityMin ?? 0n)
  );
}

function nameOf(one: Trade): string {
  const { exchange, symbol } = instrumentOf(one);
  return `${one.timeUs} ${exchange} ${symbol} ${exchange}-${one.id}`;
}

test('pages of any size are the sorted list, cut; and the last ones its end', async () => {
  await fc.assert(
    fc.asyncProperty(
      trades,
      filter,
      fc.nat(),
      fc.integer({ min: 1, max: 20 }),
      async (all, wanted, cut, limit) => {
        const middle = cut % (all.length + 1);
        const { files, read } = tradesLake([all.slice(0, middle), all.slice(middle)]);
        const pruned = files.filter((file) => mayMatch(file, wanted));
        const expected = all
          .filter((one) => matches(one, wanted))
          .sort((a, b) => (sortText(a) < sortText(b) ? -1 : 1))
          .map(nameOf);
        const ask = { files: pruned, filter: wanted, limit, fields: FIELDS };
        const seen: string[] = [];
        let after: TradeKey | undefined;
        do {
          const page = await tradePage(read, { ...ask, which: 'first', ...(after && { after }) });
          assert.ok(page.rows.length <= limit);
          for (const { timestamp, exchange, symbol, trade_id } of page.rows) {
            seen.push(`${timestamp} ${exchange} ${symbol} ${trade_id}`);
          }
          after = page.last;
        } while (after !== undefined);
        assert.deepEqual(seen, expected);
        const { rows } = await tradePage(read, { ...ask, which: 'last' });
        assert.deepEqual(
          rows.map(
            ({ timestamp, exchange, symbol, trade_id }) =>
              `${timestamp} ${exchange} ${symbol} ${trade_id}`,
          ),
          expected.slice(-limit),
        );
      },
    ),
    { numRuns: 150 },
  );
});

test('a file is left out only where its bounds exclude it', () => {
  const [first, second] = INSTRUMENTS.map(({ exchange, symbol }) => ({ exchange, symbol }));
  const wanted: TradeFilter = { instruments: [first, second] as never, startUs: 10, endUs: 20 };
  const ids = TRADE.columns.map(({ id, name }: Column) => [name, id] as const);
  const id = (name: string): number => ids.find(([one]) => one === name)?.[1] as number;
  const long = (value: number): string => {
    const bytes = Buffer.alloc(8);
    bytes.writeBigInt64LE(BigInt(value));
    return bytes.toString('hex');
  };
  const may = (symbols: [string, string] | undefined, times: [number, number] | undefined) => {
    const hex = (text: string): string => Buffer.from(text).toString('hex');
    const lower: Record<number, string> = {};
    const upper: Record<number, string> = {};
    if (symbols !== undefined) {
      lower[id('symbol')] = hex(symbols[0]);
      upper[id('symbol')] = hex(symbols[1]);
    }
    if (times !== undefined) {
      lower[id('timestamp')] = long(times[0]);
      upper[id('timestamp')] = long(times[1]);
    }
    return mayMatch({ path: '', partition: '', metrics: { lower, upper } }, wanted);
  };
  assert.equal(may(undefined, undefined), true);
  assert.equal(may(undefined, [0, 9]), false);
  assert.equal(may(undefined, [0, 10]), true);
  assert.equal(may(undefined, [19, 30]), true);
  assert.equal(may(undefined, [20, 30]), false);
  assert.equal(may(['AAA', 'BTCUSD'], undefined), true);
  assert.equal(may(['BTCUSD', 'BTCUSD'], undefined), true);
  assert.equal(may(['ETHUSDU', 'ZZZ'], undefined), false);
  assert.equal(may(['AAA', 'AZZ'], undefined), false);
});

test('a damaged file is refused, not read', async () => {
  const lake = tradesLake([[fc.sample(trade, { seed: 1, numRuns: 1 })[0] as Trade]]);
  const [file] = lake.files;
  const whole = await lake.read(file?.path as string);
  const flipped = Uint8Array.from(whole);
  flipped[Math.floor(flipped.length / 2)] = (flipped[Math.floor(flipped.length / 2)] as number) ^ 4;
  const filter: TradeFilter = {
    instruments: INSTRUMENTS.map(({ exchange, symbol }) => ({ exchange, symbol })),
    startUs: 0,
    endUs: 2 ** 53,
  };
  const ask = { files: lake.files, filter, limit: 1, which: 'first', fields: FIELDS } as const;
  assert.equal((await tradePage(async () => whole, ask)).rows.length, 1);
  await assert.rejects(
    tradePage(async () => flipped, ask),
    /is damaged/,
  );
});
