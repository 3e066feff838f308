/** Bytes that are not what was written are found: in values, in keys, by absence, by age. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import fc from 'fast-check';
import { open as openLmdb, type RootDatabase } from 'lmdb';
import { EXIT, UserError } from '#src/base/errors';
import type { Databases, KeyValue, KeyValuePair } from '#src/base/key-value';
import { AreaTotals } from '#src/state/area-totals';
import { AREA, areaKey } from '#src/state/keys';
import { lmdbDatabases } from '#src/state/open-environment';
import { seal, sealOf, unseal } from '#src/state/sealed-value';
import { StateCorruptError } from '#src/state/state-errors';
import { StateStore } from '#src/state/store';
import {
  CREATED_US,
  candleRecord,
  concatenate,
  epochCommit,
  INSTRUMENTS,
  MINUTE_US,
} from '#tests/state/fixtures';
import { temporaryDirectory } from '#tests/support/temporary-directory';

type Raw = RootDatabase<Uint8Array, Uint8Array>;

const openRaw = (directory: string): Raw =>
  openLmdb<Uint8Array, Uint8Array>({
    path: directory,
    noSubdir: false,
    encoding: 'binary',
    keyEncoding: 'binary',
  });

const open = (directory: string) => StateStore.open(directory, { createdUs: CREATED_US });

async function filledStore(t: TestContext): Promise<string> {
  const directory = join(temporaryDirectory(t), 'state');
  const store = await open(directory);
  await store.registerInstruments(INSTRUMENTS);
  await store.fixBinanceStream('trade');
  await store.mark('name', 'key');
  for (const n of [1, 2, 3]) await store.commitEpoch(epochCommit(n));
  store.verify();
  await store.close();
  return directory;
}

/** Changes the raw database behind the store's back. */
async function tamper(directory: string, change: (db: Raw) => Promise<unknown>): Promise<void> {
  const db = openRaw(directory);
  await change(db);
  await db.flushed;
  await db.close();
}

/** Everything the store can be asked. */
async function readEverything(directory: string): Promise<void> {
  const store = await open(directory);
  try {
    store.instruments();
    store.intervalSets();
    for (const candle of store.candles(0, 0, 0, 100 * MINUTE_US)) assert.equal(candle.length, 176);
    for (const candle of store.pendingCandles()) assert.equal(candle.length, 176);
    store.allLivePaths();
    store.removedFiles();
    store.hasMark('name', 'key');
    store.verify();
  } finally {
    await store.close();
  }
}

const isDamage = (error: unknown): boolean =>
  error instanceof StateCorruptError &&
  error instanceof UserError &&
  error.exitCode === EXIT.io &&
  error.message.includes('bullion rebuild');

test('a sealed value opens with its own key and bytes only', () => {
  const bytes = fc.uint8Array({ minLength: 1, maxLength: 300 });
  fc.assert(
    fc.property(
      bytes,
      fc.uint8Array({ maxLength: 300 }),
      fc.nat(),
      fc.nat(7),
      (key, payload, at, bit) => {
        const sealed = seal(key, payload);
        assert.deepEqual(Buffer.from(unseal(key, sealed)!), Buffer.from(payload));
        const flipped = Buffer.from(sealed);
        flipped[at % flipped.length]! ^= 1 << bit;
        assert.equal(unseal(key, flipped), undefined);
        const otherKey = Buffer.from(key);
        otherKey[at % otherKey.length]! ^= 1 << bit;
        assert.equal(unseal(otherKey, sealed), undefined);
        assert.equal(unseal(key, sealed.subarray(0, at % 4)), undefined);
      },
    ),
  );
});

test('one flipped bit in any value is found, and names the directory and the cure', async (t) => {
  const directory = await filledStore(t);
  const raw = openRaw(directory);
  const entries = [...raw.getRange({ start: Buffer.from([0]) })];
  await raw.close();
  assert.ok(entries.length > 15);
  let seed = 1;
  for (const { key, value } of entries) {
    seed = (seed * 48271) % 2147483647;
    const flipped = Buffer.from(value);
    flipped[seed % flipped.length]! ^= 1 << (seed % 8);
    await tamper(directory, (db) => db.put(key, flipped));
    await assert.rejects(readEverything(directory), isDamage, Buffer.from(key).toString('hex'));
    await tamper(directory, (db) => db.put(key, Buffer.from(value)));
  }
  await readEverything(directory);
});

test('any record that is gone is found', async (t) => {
  const directory = await filledStore(t);
  const raw = openRaw(directory);
  const entries = [...raw.getRange({ start: Buffer.from([0]) })];
  await raw.close();
  for (const { key, value } of entries) {
    await tamper(directory, (db) => db.remove(key));
    await assert.rejects(readEverything(directory), isDamage, Buffer.from(key).toString('hex'));
    await tamper(directory, (db) => db.put(key, Buffer.from(value)));
  }
  await readEverything(directory);
});

test('an older epoch, valid by itself, is found at the opening, and with older sums by whoever looks', async (t) => {
  const directory = join(temporaryDirectory(t), 'state');
  const store = await open(directory);
  await store.registerInstruments(INSTRUMENTS);
  await store.commitEpoch(epochCommit(1));
  const raw = openRaw(directory);
  const older = [AREA.epoch, AREA.totals].map((area) => {
    const key = areaKey(area);
    return { key, value: Buffer.from(raw.get(key)!) };
  });
  await raw.close();
  await store.commitEpoch(epochCommit(2));
  await store.close();
  await tamper(directory, (db) => db.put(older[0]!.key, older[0]!.value));
  await assert.rejects(open(directory), isDamage);
  await tamper(directory, (db) => db.put(older[1]!.key, older[1]!.value));
  const again = await open(directory);
  assert.equal(again.epoch().epoch, 1);
  assert.throws(() => again.verifyLists(), isDamage);
  await again.close();
});

test('an older version of a record, valid by itself, is found', async (t) => {
  const directory = await filledStore(t);
  const key = Buffer.from('\0BINANCE|BTCUSDT');
  key[0] = AREA.intervals;
  await tamper(directory, (db) => db.put(key, seal(key, epochCommit(2).instruments[0]!.intervals)));
  const store = await open(directory);
  assert.throws(() => store.intervalSets(), isDamage);
  await store.close();
});

type Walk = (pairs: KeyValuePair[]) => KeyValuePair[];

/** LMDB as it is, but for what `replace` gives. */
function lmdbWith(replace: (db: KeyValue) => Partial<KeyValue>): Databases {
  return {
    create: lmdbDatabases.create,
    async open(directory, readOnly) {
      const db = await lmdbDatabases.open(directory, readOnly);
      if (db === undefined) return undefined;
      const replaced = replace(db);
      return new Proxy(db, {
        get(target, name) {
          const from = name in replaced ? replaced : target;
          const value: unknown = Reflect.get(from, name);
          return typeof value === 'function' ? value.bind(from) : value;
        },
      });
    },
  };
}

test('sound records where they do not belong are found, as pages that changed places give them', async (t) => {
  const directory = await filledStore(t);
  const raw = openRaw(directory);
  const all = [...raw.getRange({ start: Buffer.from([0]) })];
  await raw.close();
  const walks: Record<string, Walk> = {
    'of another area, behind': (pairs) => [...pairs, all.at(-1)!],
    'of another area, before': (pairs) => [all[0]!, ...pairs],
    'in another order': (pairs) => pairs.toReversed(),
    'round and round': (pairs) => [...pairs, ...pairs],
    'the same twice': ([first, ...others]) => [first!, first!, ...others],
  };
  for (const [name, walk] of Object.entries(walks)) {
    let isDamaged = false; // from its opening on
    const databases = lmdbWith((db) => ({
      getRange: (range) => (isDamaged ? walk([...db.getRange(range)]) : db.getRange(range)),
    }));
    const store = await StateStore.open(directory, { readOnly: true, databases });
    isDamaged = true;
    const questions = [
      () => [...store.candles(0, 0, 0, 100 * MINUTE_US)],
      () => [...store.candles(0, 0, 0, 100 * MINUTE_US, { descending: true })],
      () => [...store.latestCandles(0, 0, 10)],
      () => [...store.files('gold_crypto_trades')],
      () => store.allLivePaths(),
      () => store.instruments(),
    ];
    for (const question of questions) assert.throws(question, isDamage, `${name}: ${question}`);
    await store.close();
  }
});

test('two candles that went back by the same bits are found', async (t) => {
  const directory = join(temporaryDirectory(t), 'state');
  const store = await open(directory);
  await store.registerInstruments(INSTRUMENTS);
  const candles = (trades: number): Uint8Array =>
    concatenate([4, 5].map((timeframe) => candleRecord(timeframe, 0, 0, 3, trades)));
  await store.commitEpoch(epochCommit(1, { candles: candles(1) }));
  const raw = openRaw(directory);
  const range = { start: areaKey(AREA.candle), end: areaKey(AREA.pending) };
  const older = [...raw.getRange(range)].map(({ key, value }) => ({
    key,
    value: Buffer.from(value),
  }));
  await raw.close();
  await store.commitEpoch(epochCommit(2, { candles: candles(2) }));
  store.verify();
  await store.close();
  assert.equal(older.length, 2);
  await tamper(directory, async (db) => {
    for (const { key, value } of older) await db.put(key, value);
  });
  const again = await open(directory);
  assert.throws(() => again.verifyCandles(), isDamage);
  await again.close();
});

test('a state of format 1, whose digests are not mixed, is read and written as it is', async (t) => {
  const directory = join(temporaryDirectory(t), 'state');
  await (await open(directory)).close();
  const identity = areaKey(AREA.identity);
  await tamper(directory, async (db) => {
    const key = areaKey(AREA.totals);
    const plain = new AreaTotals(false);
    const old = Buffer.from(JSON.stringify({ format: 1, createdUs: CREATED_US }));
    await db.put(identity, seal(identity, old));
    for (const area of [AREA.identity, AREA.epoch]) {
      plain.add(area, sealOf(db.get(areaKey(area))!));
    }
    await db.put(key, seal(key, plain.bytes()));
  });
  const store = await open(directory);
  await store.registerInstruments(INSTRUMENTS);
  for (const n of [1, 2]) await store.commitEpoch(epochCommit(n));
  store.verify();
  assert.equal(store.identity.format, 1);
  await store.close();
});

test('a record that no search finds is found, as a changed branch page hides it', async (t) => {
  const directory = await filledStore(t);
  for (const area of ['instrument', 'intervals', 'candle', 'pending', 'file', 'mark'] as const) {
    const databases = lmdbWith((db) => ({
      getBinary: (key) => (key[0] === AREA[area] ? undefined : db.getBinary(key)),
    }));
    const store = await StateStore.open(directory, { readOnly: true, databases });
    assert.throws(() => store.verify(), isDamage, area);
    if (area === 'candle') assert.throws(() => store.verifyCandles(), isDamage);
    else if (area !== 'pending') assert.throws(() => store.verifyCore(), isDamage, area);
    await store.close();
  }
});

test('a state of a newer format is refused as a configuration error', async (t) => {
  const directory = await filledStore(t);
  const key = areaKey(AREA.identity);
  const newer = Buffer.from(JSON.stringify({ format: 3, createdUs: 0 }));
  await tamper(directory, (db) => db.put(key, seal(key, newer)));
  await assert.rejects(
    open(directory),
    (error) =>
      error instanceof UserError &&
      !(error instanceof StateCorruptError) &&
      error.exitCode === EXIT.config &&
      error.message.includes('format 3'),
  );
});
