/**
 * Gold trades:
 *
 *   GET  /v1/trades         of one instrument, by (time, id), page by page
 *   POST /v1/trades/query   of several, with fields and filters
 *   POST /v1/replay         of several, as they happened: by (time, exchange, symbol, id)
 *
 * They are read from the files of the last epoch, so a trade is there once its epoch is committed
 * (epochs.interval_ms, 5 minutes by default). An answer names that epoch. A page that is full has a
 * cursor for the next one; it stands between two trades, also of the same microsecond.
 */
import type { TSchema } from '@sinclair/typebox';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Exchange } from '#schemas/exchange';
import type { Instrument } from '#schemas/instrument';
import { GOLD_TRADES, SIDES, TRADE } from '#schemas/trade';
import { type Answers, FORMAT, formatOf } from '#src/api/answers';
import { CURSOR_CHARS_MAX, type Cursor, type Cursors } from '#src/api/cursor';
import { envelope, sendRows } from '#src/api/envelope';
import type { History } from '#src/api/history';
import { INSTRUMENT, INSTRUMENTS, instrumentOf, instrumentsOf } from '#src/api/instrument-names';
import {
  bad,
  decimal,
  integer,
  listOf,
  oneOf,
  optional,
  type Parameters,
  readParameters,
  schemaOf,
  text,
  type Values,
  withDefault,
} from '#src/api/parameters';
import { RANGE, rangeOf } from '#src/api/range';
import { rowSchema } from '#src/api/row-schema';
import type { AnswerFormat } from '#src/query/answer-format';
import { mayMatch, type TradeFilter, type TradeKey } from '#src/query/trade-filter';

export interface TradeRoutes {
  readonly instruments: readonly Instrument[];
  readonly history: History;
  readonly cursors: Cursors;
  readonly answers: Answers;
  readonly nowUs: () => number;
}

const FIELD_NAMES = TRADE.columns.map(({ name }) => name);
/** The same for every trade, or said by its time. */
const LEFT_OUT: readonly string[] = ['asset_class', 'exchange_date', 'exchange_hour'];
const FIELDS_DEFAULT = FIELD_NAMES.filter((name) => !LEFT_OUT.includes(name));

export const TRADES_MAX = 10_000;

const PAGE = {
  ...RANGE,
  limit: withDefault(integer(1, TRADES_MAX, 'At most this many trades.'), 1_000),
  cursor: optional(
    text(`a cursor of at most ${CURSOR_CHARS_MAX} characters`, 'next_cursor of the page before.'),
  ),
  fields: optional(
    listOf(oneOf(FIELD_NAMES, 'Column.'), FIELD_NAMES.length, 'Columns, in this order.'),
  ),
  format: FORMAT,
};

const ONE = { ...INSTRUMENT, ...PAGE };
const SEVERAL = { ...INSTRUMENTS, ...PAGE };
const FILTERED = {
  ...SEVERAL,
  side: optional(oneOf(SIDES, 'Side of the aggressor.')),
  price_min: optional(decimal('Smallest price, inclusive.')),
  price_max: optional(decimal('Largest price, inclusive.')),
  quantity_min: optional(decimal('Smallest quantity, inclusive.')),
  quantity_max: optional(decimal('Largest quantity, inclusive.')),
};

const TRADES = envelope('trades', rowSchema(TRADE.columns, true));

function documented(summary: string, part: 'querystring' | 'body', parameters: Parameters) {
  return {
    schema: { summary, [part]: schemaOf(parameters), response: { 200: TRADES as TSchema } },
  };
}

type PageValues = Values<typeof PAGE>;

/** Where a page ended: the range, which may have been "until now", and the key of its last trade. */
type Position = readonly [startUs: number, endUs: number, ...key: readonly (string | number)[]];

export function registerTrades(app: FastifyInstance, routes: TradeRoutes): void {
  const { instruments } = routes;
  const one = documented('Trades of one instrument.', 'querystring', ONE);
  app.get('/v1/trades', one, async (request, reply) => {
    const values = readParameters(ONE, request.query);
    const { symbol, exchange } = instrumentOf(instruments, values.symbol, values.exchange);
    return page(routes, request, reply, values, [{ symbol, exchange }], {});
  });
  const query = documented('Trades of several instruments, filtered.', 'body', FILTERED);
  app.post('/v1/trades/query', query, async (request, reply) => {
    const values = readParameters(FILTERED, request.body ?? {});
    const { side, price_min, price_max, quantity_min, quantity_max } = values;
    return page(routes, request, reply, values, named(instruments, values), {
      ...(side !== undefined && { side }),
      ...(price_min !== undefined && { priceMin: price_min }),
      ...(price_max !== undefined && { priceMax: price_max }),
      ...(quantity_min !== undefined && { quantityMin: quantity_min }),
      ...(quantity_max !== undefined && { quantityMax: quantity_max }),
    });
  });
  const replay = documented('Trades as they happened, over all instruments.', 'body', SEVERAL);
  app.post('/v1/replay', replay, async (request, reply) => {
    const values = readParameters(SEVERAL, request.body ?? {});
    return page(routes, request, reply, values, named(instruments, values), {});
  });
}

function named(
  instruments: readonly Instrument[],
  { symbols, exchanges }: Pick<Values<typeof SEVERAL>, 'symbols' | 'exchanges'>,
): TradeFilter['instruments'] {
  return instrumentsOf(instruments, symbols, exchanges).map(({ symbol, exchange }) => ({
    symbol,
    exchange,
  }));
}

async function page(
  { history, cursors, answers, nowUs }: TradeRoutes,
  request: FastifyRequest,
  reply: FastifyReply,
  values: PageValues,
  instruments: TradeFilter['instruments'],
  conditions: Omit<TradeFilter, 'instruments' | 'startUs' | 'endUs'>,
): Promise<FastifyReply> {
  const format: AnswerFormat = formatOf(values.format, request);
  const cursor = values.cursor === undefined ? undefined : cursors.open(values.cursor);
  const fields = values.fields ?? FIELDS_DEFAULT;
  const identity = { instruments, conditions, fields };
  const { range, after } = place(values, cursor, identity, nowUs());
  const filter: TradeFilter = { instruments, ...range, ...conditions };
  const answer = await history.ask(GOLD_TRADES, range.startUs, range.endUs, ({ files }) => ({
    kind: 'trades',
    files: files.filter((file) => mayMatch(file, filter)),
    filter,
    ...(after !== undefined && { after }),
    limit: values.limit,
    which: 'first',
    fields,
    format,
  }));
  const last = answer.last as TradeKey | undefined;
  const next =
    last === undefined
      ? null
      : cursors.write(identity, [
          range.startUs,
          range.endUs,
          last.timeUs,
          last.exchange,
          last.symbol,
          last.id,
        ]);
  return sendRows(answers, reply, format, 'trades', answer, { next_cursor: next });
}

/** The range, and the trade that the page before ended with. */
function place(
  { start, end }: PageValues,
  cursor: Cursor | undefined,
  identity: unknown,
  nowUs: number,
): { range: { startUs: number; endUs: number }; after: TradeKey | undefined } {
  if (cursor === undefined) return { range: rangeOf(start, end, nowUs), after: undefined };
  cursor.check(identity);
  const [startUs, endUs, timeUs, exchange, symbol, id] = cursor.position as Position;
  if ((start !== undefined && start !== startUs) || (end !== undefined && end !== endUs)) {
    throw bad('cursor', 'belongs to another query: only the limit may change');
  }
  const after = { timeUs, exchange: exchange as Exchange, symbol, id } as TradeKey;
  return { range: { startUs, endUs }, after };
}
