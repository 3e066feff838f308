/**
 * Time travel:
 *
 *   GET  /v1/snapshots             the snapshots each table still has
 *   POST /v1/snapshots/:id/query   trades or candles as that snapshot showed them
 */
import { Type } from '@sinclair/typebox';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { candleTable } from '#schemas/candle';
import { EXCHANGES, exchangeKey } from '#schemas/exchange';
import type { Instrument } from '#schemas/instrument';
import { TABLES } from '#schemas/tables';
import { TIMEFRAMES } from '#schemas/timeframe';
import { GOLD_TRADES, silverTable, TRADE } from '#schemas/trade';
import { type Answers, FORMAT, formatOf } from '#src/api/answers';
import type { History } from '#src/api/history';
import { INSTRUMENT, instrumentOf } from '#src/api/instrument-names';
import {
  integer,
  oneOf,
  optional,
  readParameters,
  schemaOf,
  withDefault,
} from '#src/api/parameters';
import { RANGE, rangeOf } from '#src/api/range';
import { rowSchema } from '#src/api/row-schema';
import type { AnswerFormat } from '#src/query/answer-format';
import type { RowsQuery } from '#src/query/job';
import { SNAPSHOT_COLUMNS } from '#src/query/snapshot-columns';

export interface SnapshotRoutes {
  readonly instruments: readonly Instrument[];
  readonly history: History;
  readonly answers: Answers;
  readonly nowUs: () => number;
}

const TABLE_NAMES = TABLES.map(({ name }) => name);
const CANDLE_TABLES: readonly string[] = TIMEFRAMES.map(candleTable);
const TRADE_TABLES: readonly string[] = [
  GOLD_TRADES,
  ...EXCHANGES.map((exchange) => silverTable(exchangeKey(exchange))),
];

const LIST = {
  table: optional(oneOf(TABLE_NAMES, 'Of one table; of all unless given.')),
  format: FORMAT,
};

const ROWS_MAX = 10_000;
const QUERY = {
  table: withDefault(oneOf([...TRADE_TABLES, ...CANDLE_TABLES], 'Table.'), GOLD_TRADES),
  ...INSTRUMENT,
  ...RANGE,
  limit: withDefault(integer(1, ROWS_MAX, 'At most this many rows.'), 1_000),
  format: FORMAT,
};

const SNAPSHOT_ID = integer(0, Number.MAX_SAFE_INTEGER, 'Id of a snapshot of the table.');
const FIELDS = TRADE.columns.map(({ name }) => name);

export function registerSnapshots(app: FastifyInstance, routes: SnapshotRoutes): void {
  const { instruments, history, answers, nowUs } = routes;
  app.get(
    '/v1/snapshots',
    {
      schema: {
        summary: 'The snapshots each table still has, oldest first.',
        querystring: schemaOf(LIST),
        response: { 200: Type.Object({ snapshots: Type.Array(rowSchema(SNAPSHOT_COLUMNS)) }) },
      },
    },
    async (request, reply) => {
      const { table, format: given } = readParameters(LIST, request.query);
      const format = formatOf(given, request);
      const tables = table === undefined ? TABLE_NAMES : [table];
      const { body } = await history.askDirectly({ kind: 'snapshots', tables, format });
      return answers.send(reply, format, 'snapshots', wrapped('snapshots', format, body));
    },
  );

  app.post(
    '/v1/snapshots/:id/query',
    {
      schema: {
        summary: 'Trades or candles of one instrument as a snapshot showed them.',
        params: Type.Object({ id: SNAPSHOT_ID.schema }),
        body: schemaOf(QUERY),
        response: {
          200: Type.Object({ rows: Type.Array(Type.Object({}, { additionalProperties: true })) }),
        },
      },
    },
    async (request: FastifyRequest<{ Params: { id: string } }>, reply) => {
      const id = SNAPSHOT_ID.read(request.params.id, 'id');
      const values = readParameters(QUERY, request.body ?? {});
      const { table, limit } = values;
      const format = formatOf(values.format, request);
      const { symbol, exchange } = instrumentOf(instruments, values.symbol, values.exchange);
      const range = rangeOf(values.start, values.end, nowUs());
      const { body } = await history.askSnapshot(table, id, (files): RowsQuery => {
        if (CANDLE_TABLES.includes(table)) {
          const filter = { symbol, exchange, ...range, limit };
          return { kind: 'candles', files, filter, format };
        }
        const filter = { instruments: [{ symbol, exchange }], ...range };
        return { kind: 'trades', files, filter, limit, which: 'first', fields: FIELDS, format };
      });
      return answers.send(reply, format, table, wrapped('rows', format, body));
    },
  );
}

/** In JSON a list is never the answer itself, so that more can be said beside it one day. */
function wrapped(name: string, format: AnswerFormat, body: Uint8Array): Uint8Array {
  if (format !== 'json') return body;
  return Buffer.concat([Buffer.from(`{"${name}":`), body, Buffer.from('}')]);
}
