/** Column metrics against DuckDB's own counts, minima and maxima of the same file. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import fc from 'fast-check';
import { BRONZE } from '#schemas/bronze';
import { CANDLE } from '#schemas/candle';
import { DEAD_LETTER, REASONS } from '#schemas/dead-letter';
import { EXCHANGES } from '#schemas/exchange';
import type { Column, TableSchema } from '#schemas/schema';
import { TRADE } from '#schemas/trade';
import { nodeDisk } from '#src/base/node-disk';
import { BronzeEncoder } from '#src/lake/bronze-encoder';
import { CandleEncoder } from '#src/lake/candle-encoder';
import { DeadLetterEncoder } from '#src/lake/dead-letter-encoder';
import { type FileMetrics, fileMetrics } from '#src/lake/file-metrics';
import type { StagedFile } from '#src/lake/staged-file';
import { TradeEncoder } from '#src/lake/trade-encoder';
import { candleRecords, candles } from '#tests/lake/candle-rows';
import { query } from '#tests/lake/duckdb';
import { INSTRUMENTS, MIDNIGHT_US, trade, tradesJob } from '#tests/lake/trade-rows';
import { appendFrame, frameOf, openWriter } from '#tests/support/log-fixtures';
import { temporaryDirectory } from '#tests/support/temporary-directory';

const lakeDir = temporaryDirectory(test, 'lake');
const sink = { lakeDir, disk: nodeDisk() };
const DECIMAL = /^decimal\(\d+, (\d+)\)$/;

/** SQL for the number (or, for text, the bytes in hex) that a bound of the column stands for. */
function comparable({ name, type }: Column): string {
  if (type === 'timestamptz') return `epoch_us("${name}")`;
  if (type === 'date') return `("${name}" - DATE '1970-01-01')`;
  if (type === 'string') return `"${name}"`;
  return type === 'boolean' ? `"${name}"::INT` : `"${name}"`;
}

/** DuckDB's text of a number as the integer Iceberg stores: decimals without their point. */
function unscaled(type: Column['type'], text: string): bigint {
  const scale = DECIMAL.exec(type as string)?.[1];
  if (scale === undefined) return BigInt(text);
  assert.equal(text.split('.')[1]?.length, Number(scale));
  return BigInt(text.replace('.', ''));
}

/** Iceberg's single-value binary, read back the way the specification says. */
function readBound(type: Column['type'], hex: string): bigint {
  const bytes = Buffer.from(hex, 'hex');
  switch (type) {
    case 'boolean':
      assert.equal(bytes.length, 1);
      return BigInt(bytes[0] as number);
    case 'int':
    case 'date':
      assert.equal(bytes.length, 4);
      return BigInt(bytes.readInt32LE());
    case 'long':
    case 'timestamptz':
      assert.equal(bytes.length, 8);
      return bytes.readBigInt64LE();
    default: {
      const value = BigInt.asIntN(8 * bytes.length, BigInt(`0x${hex}`));
      const shorter = BigInt.asIntN(8 * (bytes.length - 1), value);
      assert.ok(bytes.length === 1 || shorter !== value, `${hex} is longer than needed`);
      return value;
    }
  }
}

/** The bounds hold every text and, where a text fits, are exact. */
function assertTextBounds(lower: string, upper: string | undefined, min: string, max: string) {
  const bound = (hex: string) => Buffer.from(hex, 'hex');
  const points = (hex: string) => Array.from(bound(hex).toString());
  assert.ok(Buffer.compare(bound(lower), Buffer.from(min)) <= 0, `${lower} > ${min}`);
  assert.equal(points(lower).join(''), Array.from(min).slice(0, 16).join(''));
  if (upper === undefined) {
    assert.match(max, /^\u{10ffff}{16}/u);
    return;
  }
  assert.ok(Buffer.compare(bound(upper), Buffer.from(max)) >= 0, `${upper} < ${max}`);
  assert.ok(points(upper).length <= 16);
  if (Array.from(max).length <= 16) assert.equal(bound(upper).toString(), max);
}

interface Counted {
  readonly rows: string;
  readonly filled: string;
  readonly min: string | null;
  readonly max: string | null;
}

async function assertMetrics(table: Pick<TableSchema, 'columns'>, path: string, of: FileMetrics) {
  const from = `FROM read_parquet('${path}', hive_partitioning=false)`;
  for (const column of table.columns) {
    const { id, name, type } = column;
    if (typeof type !== 'string') continue;
    const value = comparable(column);
    const [counted] = (await query(
      `SELECT count(*)::VARCHAR AS rows, count("${name}")::VARCHAR AS filled,
         min(${value})::VARCHAR AS min, max(${value})::VARCHAR AS max ${from}`,
    )) as unknown as [Counted];
    const rows = Number(counted.rows);
    assert.equal(of.valueCounts[id], rows, name);
    assert.equal(of.nullCounts[id], rows - Number(counted.filled), name);
    const [lower, upper] = [of.lower[id], of.upper[id]];
    if (counted.min === null || counted.max === null) assert.equal(lower ?? upper, undefined);
    if (lower === undefined || counted.min === null || counted.max === null) continue;
    if (type === 'string') assertTextBounds(lower, upper, counted.min, counted.max);
    else {
      assert.equal(readBound(type, lower), unscaled(type, counted.min), name);
      assert.equal(readBound(type, upper as string), unscaled(type, counted.max), name);
    }
  }
  const stored = await query(
    `SELECT row_group_id::INT AS row_group, min(coalesce(dictionary_page_offset, data_page_offset))::INT AS at,
       sum(total_compressed_size)::INT AS bytes
     FROM parquet_metadata('${path}') GROUP BY ALL ORDER BY ALL`,
  );
  assert.deepEqual(
    of.splitOffsets,
    stored.map(({ at }) => at),
  );
  assert.equal(
    Object.values(of.columnSizes).reduce((a, b) => a + b, 0),
    stored.reduce((sum, { bytes }) => sum + Number(bytes), 0),
  );
}

const bounded = ({ metrics }: StagedFile) => Object.keys(metrics.lower).map(Number);

test('metrics of trade files are what DuckDB counts', async () => {
  const encoder = new TradeEncoder(INSTRUMENTS, sink);
  let jobs = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(trade, { minLength: 1, maxLength: 40 }), async (trades) => {
      for (const file of encoder.run(tradesJob(trades, `trades-${jobs++}`))) {
        await assertMetrics(TRADE, join(lakeDir, file.path), file.metrics);
        const { 12: nulls } = file.metrics.nullCounts; // source_sequence
        const bounds = [3, 4, 6, 7, 8, 12, 13, 14, 16, 17];
        assert.deepEqual(
          bounded(file),
          bounds.filter((id) => id !== 12 || nulls !== file.rows),
        );
        for (const part of [18, 19, 20]) assert.ok((file.metrics.columnSizes[part] ?? 0) > 0);
      }
    }),
    { numRuns: 8 },
  );
});

test('metrics of candle files are what DuckDB counts, for every column', async () => {
  const encoder = new CandleEncoder(INSTRUMENTS, sink);
  let jobs = 0;
  await fc.assert(
    fc.asyncProperty(candles('1m', MIDNIGHT_US), async (all) => {
      const records = candleRecords(all);
      const name = `candles-${jobs++}`;
      const [file] = encoder.run({ kind: 'candles', timeframe: '1m', records, name });
      assert.ok(file !== undefined);
      assert.deepEqual(
        bounded(file),
        CANDLE.columns.map(({ id }) => id),
      );
      await assertMetrics(CANDLE, join(lakeDir, file.path), file.metrics);
    }),
    { numRuns: 5 },
  );
});

test('metrics of dead letter files are what DuckDB counts; raw records have no bounds', async () => {
  const rows = fc.sample(
    fc.record({
      raw: fc.uint8Array({ maxLength: 100 }),
      index: fc.integer({ min: -1, max: 3 }),
      reason: fc.nat({ max: REASONS.length - 1 }),
      receiveTimeUs: fc.integer({ min: MIDNIGHT_US, max: MIDNIGHT_US + 1_000_000 }),
      exchange: fc.constantFrom(...EXCHANGES),
      sequence: fc.maxSafeNat(),
    }),
    { numRuns: 50, seed: 3 },
  );
  const [file] = new DeadLetterEncoder(sink).run({ kind: 'dead-letters', rows, name: 'dead' });
  assert.ok(file !== undefined);
  assert.deepEqual(bounded(file), [2, 3, 4, 5, 6, 7, 8]);
  await assertMetrics(DEAD_LETTER, join(lakeDir, file.path), file.metrics);
});

test('metrics of bronze files are what DuckDB counts; raw frames have no bounds', async () => {
  const dir = join(lakeDir, 'log');
  const writer = openWriter(sink.disk, { dir, exchange: 'KRAKEN' });
  for (let i = 0; i < 50; i++) appendFrame(writer, frameOf(i));
  await writer.close();
  const job = { kind: 'bronze', exchange: 'KRAKEN', dir, fromSequence: 3, toSequence: 41 } as const;
  const [file] = new BronzeEncoder(sink).run({ ...job, name: 'bronze' });
  assert.ok(file !== undefined);
  assert.deepEqual(bounded(file), [1, 2, 3, 4, 6]);
  await assertMetrics(BRONZE, join(lakeDir, file.path), file.metrics);
});

/** DuckDB as the writer: several row groups, nulls, negative numbers, every kind of text. */
const FOREIGN: Pick<TableSchema, 'columns'> = {
  columns: [
    { id: 1, name: 'text', type: 'string', required: false, doc: '' },
    { id: 2, name: 'small', type: 'decimal(18, 8)', required: false, doc: '' },
    { id: 3, name: 'wide', type: 'decimal(38, 16)', required: false, doc: '' },
    { id: 4, name: 'number', type: 'long', required: false, doc: '' },
    { id: 5, name: 'nothing', type: 'int', required: false, doc: '' },
    { id: 6, name: 'flag', type: 'boolean', required: false, doc: '' },
  ],
};

test('bounds span row groups, negative values and nulls', async () => {
  const path = join(lakeDir, 'foreign.parquet');
  await query(
    `COPY (SELECT CASE WHEN i % 3 = 0 THEN 'text ' || i END AS text,
         CASE WHEN i > 3000 THEN ((i - 4000) * 1.00000001)::DECIMAL(18, 8) END AS small,
         (((i - 4096)::HUGEINT * 99999999999)::DECIMAL(38, 16)) AS wide,
         (i - 5000) * 1000000000000 AS number, NULL::INT AS nothing, i % 2 = 0 AS flag
       FROM range(8192) t(i))
     TO '${path}' (FORMAT parquet, ROW_GROUP_SIZE 2048,
       FIELD_IDS {text: 1, small: 2, wide: 3, number: 4, nothing: 5, flag: 6})`,
  );
  const metrics = fileMetrics(readFileSync(path));
  assert.equal(metrics.splitOffsets.length, 4);
  for (const id of [2, 3, 4, 6]) assert.ok(metrics.lower[id] !== undefined, `column ${id}`);
  await assertMetrics(FOREIGN, path, metrics);
});

test('long and unusual texts are cut so that the bounds still hold them', async () => {
  const letters = fc.constantFrom('a', 'z', 'é', '\u{d7ff}', '\u{ffff}', '😀', '\u{10ffff}');
  const text = fc.array(letters, { maxLength: 24 }).map((all) => all.join(''));
  const path = join(lakeDir, 'texts.parquet');
  const columns = FOREIGN.columns.slice(0, 1);
  const check = async (texts: readonly string[]) => {
    const values = texts.map((value) => `('${value}')`).join(', ');
    await query(
      `COPY (SELECT * FROM (VALUES ${values}) t(text))
       TO '${path}' (FORMAT parquet, FIELD_IDS {text: 1})`,
    );
    await assertMetrics({ columns }, path, fileMetrics(readFileSync(path)));
  };
  await fc.assert(fc.asyncProperty(fc.array(text, { minLength: 1, maxLength: 4 }), check), {
    numRuns: 60,
  });
  await check(['\u{10ffff}'.repeat(17)]);
  await check([`${'a'.repeat(15)}\u{d7ff}b`]);
  await check([`${'a'.repeat(14)}b\u{10ffff}c`]);
});
