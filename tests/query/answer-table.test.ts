/**
 * Answers are read back by libraries other than those that wrote them: Parquet (parquet-wasm) by
 * DuckDB and hyparquet, Arrow streams (apache-arrow) by arrow-rs, whose Parquet DuckDB then reads.
 */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';
import fc from 'fast-check';
import { parquetReadObjects } from 'hyparquet';
import { Table, writeParquet } from 'parquet-wasm';
import type { Column } from '#schemas/schema';
import { TRADE } from '#schemas/trade';
import { formatScaled } from '#src/base/decimal';
import { encodeAnswer, type PlainRow } from '#src/query/answer-table';
import { query } from '#tests/lake/duckdb';
import { temporaryDirectory } from '#tests/support/temporary-directory';

const dir = temporaryDirectory({ after }, 'answers');

const COLUMNS: readonly Column[] = [
  { id: 1, name: 'name', type: 'string', required: true, doc: '' },
  { id: 2, name: 'time', type: 'timestamptz', required: true, doc: '' },
  { id: 3, name: 'price', type: 'decimal(18, 8)', required: false, doc: '' },
  { id: 4, name: 'sum', type: 'decimal(38, 16)', required: true, doc: '' },
  { id: 5, name: 'count', type: 'long', required: false, doc: '' },
  { id: 6, name: 'index', type: 'int', required: true, doc: '' },
  { id: 7, name: 'is_final', type: 'boolean', required: true, doc: '' },
  { id: 8, name: 'day', type: 'date', required: true, doc: '' },
  { id: 9, name: 'tags', type: { list: 'string', elementId: 10 }, required: true, doc: '' },
  {
    id: 11,
    name: 'extras',
    type: { map: ['string', 'string'], keyId: 12, valueId: 13 },
    required: true,
    doc: '',
  },
];

const DAY_MS = 86_400_000;
const word = fc.constantFrom('a', 'b=1', '=cmd|calc', 'ü', '<b>', '');

const row: fc.Arbitrary<PlainRow> = fc.record(
  {
    name: fc.oneof(word, fc.string({ maxLength: 12 })),
    time: fc.integer({ min: 0, max: 4e15 }),
    price: fc.option(fc.bigInt(0n, 10n ** 18n - 1n).map((value) => formatScaled(value, 8))),
    sum: fc.bigInt(-(10n ** 37n), 10n ** 38n - 1n).map((value) => formatScaled(value, 16)),
    count: fc.option(fc.maxSafeInteger()),
    index: fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }),
    is_final: fc.boolean(),
    day: fc.nat({ max: 30_000 }).map((day) => new Date(day * DAY_MS).toISOString().slice(0, 10)),
    tags: fc.array(word, { maxLength: 3 }),
    extras: fc.dictionary(fc.constantFrom('x', 'y', 'z'), word, { noNullPrototype: true }),
  },
  { noNullPrototype: true },
);

const table = fc
  .array(row, { maxLength: 30 })
  .map((rows) => ({ columns: COLUMNS, rows }))
  .filter(({ rows }) => rows.length > 0);

let files = 0;

/** The rows as DuckDB reads them, in the words of PlainRow. */
async function readByDuckDb(parquet: Uint8Array): Promise<PlainRow[]> {
  const path = join(dir, `${files++}.parquet`);
  writeFileSync(path, parquet);
  const rows = await query(`select name, epoch_us(time)::varchar as time, price::varchar as price,
      sum::varchar as sum, count::varchar as count, index, is_final, day::varchar as day,
      tags, to_json(map_entries(extras))::varchar as extras
    from read_parquet('${path}', file_row_number = true) order by file_row_number`);
  return rows.map((found) => ({
    ...(found as PlainRow),
    time: Number(found.time),
    count: found.count === null ? null : Number(found.count),
    extras: Object.fromEntries(
      (JSON.parse(String(found.extras)) as { key: string; value: string }[]).map(
        ({ key, value }) => [key, value],
      ),
    ),
  }));
}

test('Parquet is read by DuckDB as it was', async () => {
  await fc.assert(
    fc.asyncProperty(table, async (answer) => {
      assert.deepEqual(await readByDuckDb(encodeAnswer(answer, 'parquet')), answer.rows);
    }),
    { numRuns: 30 },
  );
});

test('Parquet is read by hyparquet', async () => {
  const [answer] = fc.sample(table, { seed: 3, numRuns: 1 }) as [
    { columns: Column[]; rows: PlainRow[] },
  ];
  const bytes = encodeAnswer(answer, 'parquet');
  const file = Uint8Array.from(bytes).buffer;
  const rows = await parquetReadObjects({ file });
  assert.deepEqual(
    rows.map(({ name, index, is_final }) => ({ name, index, is_final })),
    answer.rows.map(({ name, index, is_final }) => ({ name, index, is_final })),
  );
});

test('an Arrow stream is read by arrow-rs as it was', async () => {
  await fc.assert(
    fc.asyncProperty(table, async (answer) => {
      const stream = encodeAnswer(answer, 'arrow');
      const parquet = writeParquet(Table.fromIPCStream(stream));
      assert.deepEqual(await readByDuckDb(parquet), answer.rows);
    }),
    { numRuns: 30 },
  );
});

test('JSON and CSV are exact, and no spreadsheet runs them', () => {
  fc.assert(
    fc.property(table, (answer) => {
      const json = JSON.parse(Buffer.from(encodeAnswer(answer, 'json')).toString());
      assert.equal(json.length, answer.rows.length);
      for (const [i, found] of json.entries()) {
        const { time: _, ...rest } = answer.rows[i] as PlainRow;
        const { time, ...other } = found;
        assert.deepEqual(other, rest);
        assert.match(time, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/);
      }
    }),
  );
  const columns = COLUMNS.slice(0, 1);
  const rows = ['=1+1', '+1', '-1', '@x', '\t=1', 'fine', 'a,"b"\n'].map((name) => ({ name }));
  const csv = Buffer.from(encodeAnswer({ columns, rows }, 'csv')).toString();
  assert.equal(csv, `name\n'=1+1\n'+1\n'-1\n'@x\n'\t=1\nfine\n"a,""b""\n"\n`);
});

test('no rows are an answer in every format', async () => {
  const empty = { columns: TRADE.columns, rows: [] };
  assert.equal(Buffer.from(encodeAnswer(empty, 'json')).toString().trim(), '[]');
  const names = TRADE.columns.map(({ name }) => name).join(',');
  assert.equal(Buffer.from(encodeAnswer(empty, 'csv')).toString(), `${names}\n`);
  for (const parquet of [
    encodeAnswer(empty, 'parquet'),
    writeParquet(Table.fromIPCStream(encodeAnswer(empty, 'arrow'))),
  ]) {
    const path = join(dir, `${files++}.parquet`);
    writeFileSync(path, parquet);
    const described = await query(`describe select * from read_parquet('${path}')`);
    assert.deepEqual(
      described.map(({ column_name }) => column_name),
      TRADE.columns.map(({ name }) => name),
    );
    assert.deepEqual(await query(`select * from read_parquet('${path}')`), []);
  }
});
