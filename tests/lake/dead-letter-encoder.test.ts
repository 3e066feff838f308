import assert from 'node:assert/strict';
import { join } from 'node:path';
import test from 'node:test';
import fc from 'fast-check';
import { DEAD_LETTER, REASONS } from '#schemas/dead-letter';
import { EXCHANGES } from '#schemas/exchange';
import { nodeDisk } from '#src/base/node-disk';
import { DeadLetterEncoder } from '#src/lake/dead-letter-encoder';
import type { DeadLetterRow } from '#src/lake/job';
import { describe, fieldIds, rowsOf } from '#tests/lake/duckdb';
import { MIDNIGHT_US } from '#tests/lake/trade-rows';
import { temporaryDirectory } from '#tests/support/temporary-directory';

const lakeDir = temporaryDirectory(test, 'lake');
const encoder = new DeadLetterEncoder({ lakeDir, disk: nodeDisk() });
const DAY_US = 86_400_000_000;

const letter: fc.Arbitrary<DeadLetterRow> = fc.record({
  raw: fc.uint8Array({ maxLength: 40 }),
  index: fc.integer({ min: -1, max: 3 }),
  reason: fc.nat({ max: REASONS.length - 1 }),
  receiveTimeUs: fc
    .tuple(fc.constantFrom(-DAY_US, 0, DAY_US), fc.integer({ min: -2, max: 2 }))
    .map(([day, us]) => MIDNIGHT_US + day + us),
  exchange: fc.constantFrom(...EXCHANGES),
  sequence: fc.oneof(fc.nat({ max: 3 }), fc.maxSafeNat()),
});

const dayOf = (row: DeadLetterRow): string =>
  new Date(Math.floor(row.receiveTimeUs / 1000)).toISOString().slice(0, 10);

const COLUMNS = `hex(raw_record) AS raw, record_index AS index, error_reason, error_type,
  epoch_us(error_timestamp)::VARCHAR AS time, bronze_source AS exchange,
  "offset"::VARCHAR AS sequence, dlq_date::VARCHAR AS date`;

test('DuckDB reads exactly the dead letters put in, by day and offset', async () => {
  let jobs = 0;
  const some = fc.uniqueArray(letter, {
    minLength: 1,
    maxLength: 60,
    selector: (row) => `${row.exchange} ${row.sequence} ${row.index}`,
  });
  await fc.assert(
    fc.asyncProperty(some, async (rows) => {
      const files = encoder.run({ kind: 'dead-letters', rows, name: `job-${jobs++}` });
      const days = [...new Set(rows.map(dayOf))].sort();
      assert.deepEqual(
        files.map((file) => file.partition),
        days.map((day) => `dlq_date=${day}`),
      );
      for (const [k, file] of files.entries()) {
        const expected = rows
          .filter((row) => dayOf(row) === days[k])
          .sort(
            (a, b) =>
              a.sequence - b.sequence ||
              (a.exchange < b.exchange ? -1 : a.exchange > b.exchange ? 1 : a.index - b.index),
          )
          .map((row) => ({
            raw: Buffer.from(row.raw).toString('hex').toUpperCase(),
            index: row.index,
            error_reason: REASONS[row.reason]?.name,
            error_type: REASONS[row.reason]?.type,
            time: String(row.receiveTimeUs),
            exchange: row.exchange,
            sequence: String(row.sequence),
            date: dayOf(row),
          }));
        assert.deepEqual(await rowsOf(join(lakeDir, file.path), COLUMNS), expected);
        assert.equal(file.rows, expected.length);
      }
    }),
    { numRuns: 15 },
  );
});

test('types and field ids are those of the schema', async () => {
  const rows = fc.sample(letter, { numRuns: 1, seed: 3 });
  const [file] = encoder.run({ kind: 'dead-letters', rows, name: 'typed' });
  const path = join(lakeDir, file?.path as string);
  assert.deepEqual(
    (await describe(path)).map(([, type]) => type),
    [
      'BLOB',
      'INTEGER',
      'VARCHAR',
      'VARCHAR',
      'TIMESTAMP WITH TIME ZONE',
      'VARCHAR',
      'BIGINT',
      'DATE',
    ],
  );
  const ids = await fieldIds(path);
  ids.delete('arrow_schema');
  assert.deepEqual(
    [...ids],
    DEAD_LETTER.columns.map(({ name, id }) => [name, id]),
  );
});

test('large frames are spread over several files', () => {
  const raw = new Uint8Array(4 * 1024 * 1024);
  const rows = Array.from({ length: 9 }, (_, sequence) => ({
    raw,
    index: 0,
    reason: 0,
    receiveTimeUs: MIDNIGHT_US,
    exchange: 'KRAKEN' as const,
    sequence,
  }));
  const files = encoder.run({ kind: 'dead-letters', rows, name: 'large' });
  assert.deepEqual(
    files.map((file) => file.rows),
    [8, 1],
  );
});
