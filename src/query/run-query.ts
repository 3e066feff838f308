/** Runs one query; what a client or the disk can cause is an answer, everything else throws. */
import { CANDLE } from '#schemas/candle';
import { tradeColumn } from '#schemas/trade';
import { errorCode, UserError } from '#src/base/errors';
import { type Catalog, loadTable } from '#src/iceberg/catalog';
import { snapshotById, snapshotFiles, snapshotRows } from '#src/iceberg/time-travel';
import { type ReadFile, readCandles } from '#src/lake/table-reader';
import { aggregation, TooManyRows } from '#src/query/aggregation';
import type { AnswerFormat } from '#src/query/answer-format';
import { type AnswerTable, encodeAnswer, type PlainRow } from '#src/query/answer-table';
import { Comparison } from '#src/query/comparison';
import { deadLetterPage, rawRecord } from '#src/query/dead-letter-page';
import type {
  AggregationQuery,
  CandlesQuery,
  ComparisonQuery,
  Query,
  QueryAnswer,
  RowsAnswer,
  SnapshotFilesQuery,
  SnapshotsQuery,
  TradesQuery,
} from '#src/query/job';
import { SNAPSHOT_COLUMNS } from '#src/query/snapshot-columns';
import { forEachTrade } from '#src/query/sorted-trades';
import { tradePage } from '#src/query/trade-page';
import type { Warehouse } from '#src/warehouse/warehouse';

/** Bytes of an answer: what a client is sent of one question. */
const ANSWER_BYTES_MAX = 16 * 1024 * 1024;

export interface QueryPlace {
  readonly warehouse: Warehouse;
  readonly catalog: Catalog;
}

const reader =
  ({ warehouse }: QueryPlace): ReadFile =>
  (path) =>
    warehouse.get(path);

export async function runQuery(place: QueryPlace, query: Query): Promise<QueryAnswer> {
  try {
    return await answer(place, query);
  } catch (error) {
    if (error instanceof TooManyRows) return { kind: 'refused', sentence: error.message };
    if (errorCode(error) === 'ENOENT') return { kind: 'gone' };
    if (error instanceof UserError) return { kind: 'damaged', sentence: error.message };
    throw error;
  }
}

async function answer(place: QueryPlace, query: Query): Promise<QueryAnswer> {
  switch (query.kind) {
    case 'trades':
      return trades(place, query);
    case 'aggregation':
      return encoded(await aggregated(place, query), query.format);
    case 'comparison':
      return encoded(await compared(place, query), query.format);
    case 'candles':
      return encoded(await candles(place, query), query.format);
    case 'dead-letters': {
      const { table, last } = await deadLetterPage(reader(place), query);
      const rows = encoded(table, query.format);
      return rows.kind === 'rows' && last !== undefined ? { ...rows, last } : rows;
    }
    case 'raw-record': {
      const body = await rawRecord(reader(place), query);
      if (body !== undefined) return { kind: 'rows', body: Uint8Array.from(body), rows: 1 };
      return { kind: 'missing', sentence: 'There is no such dead letter.' };
    }
    case 'snapshot-files':
      return filesOf(place, query);
    case 'snapshots':
      return encoded(await snapshots(place, query), query.format);
    case 'encode':
      return encoded(query, query.format);
  }
}

function encoded(table: AnswerTable, format: AnswerFormat): RowsAnswer | QueryAnswer {
  const body = encodeAnswer(table, format);
  if (body.byteLength > ANSWER_BYTES_MAX) {
    const sentence = `The answer would be larger than ${ANSWER_BYTES_MAX / 2 ** 20} MiB: ask for fewer rows or fields.`;
    return { kind: 'refused', sentence };
  }
  return { kind: 'rows', body, rows: table.rows.length };
}

async function trades(place: QueryPlace, query: TradesQuery): Promise<QueryAnswer> {
  const { rows, last } = await tradePage(reader(place), query);
  const columns = query.fields.map(tradeColumn);
  const answer = encoded({ columns, rows }, query.format);
  return answer.kind === 'rows' && last !== undefined ? { ...answer, last } : answer;
}

async function aggregated(place: QueryPlace, query: AggregationQuery): Promise<AnswerTable> {
  const fold = aggregation(query.aggregation);
  await forEachTrade(reader(place), query.files, query.filter, (trade) => fold.add(trade));
  return fold.table();
}

async function compared(place: QueryPlace, query: ComparisonQuery): Promise<AnswerTable> {
  const join = new Comparison(query.comparison);
  await forEachTrade(reader(place), query.files, query.filter, (trade) => join.add(trade));
  return join.table();
}

async function candles(place: QueryPlace, { files, filter }: CandlesQuery): Promise<AnswerTable> {
  const rows: PlainRow[] = [];
  for await (const row of readCandles(reader(place), files, filter)) rows.push(row);
  return { columns: CANDLE.columns, rows };
}

async function filesOf(
  { warehouse, catalog }: QueryPlace,
  { table, snapshotId }: SnapshotFilesQuery,
): Promise<QueryAnswer> {
  const metadata = (await loadTable(catalog, warehouse, table))?.metadata;
  const snapshot = metadata && snapshotById(metadata, snapshotId);
  if (snapshot !== undefined) {
    return { kind: 'files', files: await snapshotFiles(warehouse, snapshot) };
  }
  const sentence = `${table} has no snapshot ${snapshotId} (any more): GET /v1/snapshots lists them.`;
  return { kind: 'missing', sentence };
}

async function snapshots(
  { warehouse, catalog }: QueryPlace,
  { tables }: SnapshotsQuery,
): Promise<AnswerTable> {
  const shown = tables.map(async (table) => {
    const metadata = (await loadTable(catalog, warehouse, table))?.metadata;
    const rows = metadata === undefined ? [] : snapshotRows(metadata);
    return rows.map((row) => ({ table, ...row }));
  });
  return { columns: SNAPSHOT_COLUMNS, rows: (await Promise.all(shown)).flat() };
}
