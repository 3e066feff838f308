import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { EXCHANGES } from '#schemas/exchange';
import type { Instrument } from '#schemas/instrument';
import { EXIT, UserError } from '#src/base/errors';
import { type ConfiguredInstrument, register } from '#src/state/instrument-registry';
import { StateStore } from '#src/state/store';
import { CREATED_US, INSTRUMENTS } from '#tests/state/fixtures';
import { temporaryDirectory } from '#tests/support/temporary-directory';

const instrument: fc.Arbitrary<ConfiguredInstrument> = fc
  .record({ exchange: fc.constantFrom(...EXCHANGES), base: fc.constantFrom('A', 'B', 'C', 'D') })
  .map(({ exchange, base }) => ({
    exchange,
    nativeSymbol: `${base}/USD`,
    symbol: `${base}USD`,
    baseAsset: base,
    quoteAsset: 'USD',
  }));

/** Configurations of one start after the other. */
const starts = fc.array(
  fc.uniqueArray(instrument, { selector: (i) => i.exchange + i.symbol, maxLength: 8 }),
  { maxLength: 6 },
);

const withoutConfigured = (list: ReturnType<typeof register>): Instrument[] =>
  list.map(({ configured: _, ...rest }) => rest);

test('codes are dense, never change and never go to another instrument', () => {
  fc.assert(
    fc.property(starts, (configurations) => {
      let known: Instrument[] = [];
      for (const configured of configurations) {
        const registered = register(known, configured);
        const now = withoutConfigured(registered);
        assert.deepEqual(now.slice(0, known.length), known);
        assert.deepEqual(
          now.map((i) => i.code),
          now.map((_, index) => index),
        );
        assert.deepEqual(
          registered
            .filter((i) => i.configured)
            .map((i) => i.exchange + i.symbol)
            .sort(),
          configured.map((i) => i.exchange + i.symbol).sort(),
        );
        assert.deepEqual(register(now, configured), registered, 'the same list changes nothing');
        known = now;
      }
    }),
  );
});

test('the registry in the store does what the pure one does', async (t) => {
  await fc.assert(
    fc.asyncProperty(starts, async (configurations) => {
      const directory = join(temporaryDirectory(t), 'state');
      let known: Instrument[] = [];
      for (const configured of configurations) {
        const store = await StateStore.open(directory, { createdUs: CREATED_US });
        const registered = await store.registerInstruments(configured);
        assert.deepEqual(registered, register(known, configured));
        await store.close();
        known = withoutConfigured(registered);
      }
      const store = await StateStore.open(directory, { createdUs: CREATED_US });
      assert.deepEqual(store.instruments(), known);
      await store.close();
    }),
    { numRuns: 8 },
  );
});

test('a native symbol may be renamed; the code stays', () => {
  const known = withoutConfigured(register([], INSTRUMENTS));
  const renamed = { ...INSTRUMENTS[1]!, nativeSymbol: 'XBT/USD' };
  assert.deepEqual(register(known, [renamed]), [
    { ...INSTRUMENTS[0], code: 0, configured: false },
    { ...renamed, code: 1, configured: true },
  ]);
});

test('an instrument listed twice is refused by name', () => {
  const [first] = INSTRUMENTS;
  const twice = [
    [first!, { ...first!, nativeSymbol: 'OTHER' }],
    [first!, { ...first!, symbol: 'OTHER' }],
  ];
  for (const configured of twice) {
    assert.throws(
      () => register([], configured),
      (error) =>
        error instanceof UserError &&
        error.exitCode === EXIT.config &&
        error.message.includes('BINANCE BTCUSDT'),
    );
  }
});
