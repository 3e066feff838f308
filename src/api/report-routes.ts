/**
 * What the lakehouse holds and what it is missing:
 *
 *   GET /v1/stats                     counts per exchange and table
 *   GET /v1/gaps                      missing trade ids, with the times that bound them
 *   GET /v1/summary/:symbol/:date     one symbol's day on every exchange, and over all of them
 */
import { type Static, Type } from '@sinclair/typebox';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { Instrument } from '#schemas/instrument';
import type { CandleSource } from '#src/api/candle-source';
import { CURSOR_CHARS_MAX, type Cursors } from '#src/api/cursor';
import { daySummary, SUMMARY } from '#src/api/day-summary';
import { INSTRUMENTS, instrumentsOf } from '#src/api/instrument-names';
import {
  integer,
  optional,
  readParameters,
  schemaOf,
  text,
  time,
  withDefault,
} from '#src/api/parameters';
import { Problem } from '#src/api/problem';
import { isoMicros } from '#src/output/text';
import type { Gap } from '#src/trades/gaps';

const COUNT = (description: string) => Type.Integer({ minimum: 0, description });

const STATS = Type.Object({
  epoch: COUNT('The last committed one; everything here is as of it.'),
  committed_at: Type.String({ format: 'date-time' }),
  instruments: COUNT('Instruments there are.'),
  exchanges: Type.Array(
    Type.Object({
      exchange: Type.String(),
      frames: COUNT('Frames in its log that were judged.'),
      control_frames: COUNT('Of these: acks, heartbeats and other messages without trades.'),
      valid_trades: COUNT('Trades that passed every rule, duplicates included.'),
      gold_trades: COUNT('Trades in gold: every one once.'),
      duplicates: COUNT('Trades that gold had already.'),
      dead_letters: COUNT('Records that broke a rule.'),
      gaps: COUNT('Ranges of missing trade ids.'),
      missing_trades: COUNT('Ids missing in them.'),
    }),
  ),
  tables: Type.Array(
    Type.Object({
      table: Type.String(),
      files: COUNT('Live data files.'),
      rows: COUNT('Rows in them.'),
      bytes: COUNT('Their size.'),
    }),
  ),
});
export type Stats = Static<typeof STATS>;

export interface LedgerSource {
  stats(): Promise<Stats>;
  /** All gaps of an instrument, by id. */
  gaps(instrument: Instrument): readonly Gap[];
}

export interface ReportRoutes {
  readonly instruments: readonly Instrument[];
  readonly candles: CandleSource;
  readonly ledger: LedgerSource;
  readonly cursors: Cursors;
}

const GAPS_MAX = 10_000;
const GAPS_QUERY = {
  ...INSTRUMENTS,
  limit: withDefault(integer(1, GAPS_MAX, 'At most this many gaps.'), 1_000),
  cursor: optional(
    text(`a cursor of at most ${CURSOR_CHARS_MAX} characters`, 'next_cursor of the page before.'),
  ),
};

const GAPS = Type.Object({
  gaps: Type.Array(
    Type.Object({
      exchange: Type.String(),
      symbol: Type.String(),
      from_id: Type.Integer({ description: 'First missing id.' }),
      to_id: Type.Integer({ description: 'Last missing id.' }),
      count: COUNT('Missing ids.'),
      after: Type.String({ format: 'date-time', description: 'Time of the trade before.' }),
      before: Type.String({ format: 'date-time', description: 'Time of the trade after.' }),
    }),
  ),
  next_cursor: Type.Union([Type.String(), Type.Null()]),
});

const DAY = time('UTC date, such as 2026-11-23.');

export function registerReports(app: FastifyInstance, routes: ReportRoutes): void {
  const { instruments, candles, ledger, cursors } = routes;
  app.get(
    '/v1/stats',
    { schema: { summary: 'Counts per exchange and table.', response: { 200: STATS } } },
    () => ledger.stats(),
  );

  app.get(
    '/v1/gaps',
    {
      schema: {
        summary: 'Missing trade ids, with the times that bound them.',
        querystring: schemaOf(GAPS_QUERY),
        response: { 200: GAPS },
      },
    },
    async (request) => {
      const { symbols, exchanges, limit, cursor } = readParameters(GAPS_QUERY, request.query);
      const named = instrumentsOf(instruments, symbols, exchanges);
      const identity = named.map(({ code }) => code);
      const opened = cursor === undefined ? undefined : cursors.open(cursor);
      opened?.check(identity);
      const [place, afterId] = (opened?.position ?? [0, -1]) as [number, number];
      const gaps: Static<typeof GAPS>['gaps'] = [];
      for (let k = place; k < named.length; k++) {
        const { exchange, symbol } = named[k] as Instrument;
        for (const gap of ledger.gaps(named[k] as Instrument)) {
          if (k === place && gap.fromId <= afterId) continue;
          gaps.push({
            exchange,
            symbol,
            from_id: gap.fromId,
            to_id: gap.toId,
            count: gap.count,
            after: isoMicros(gap.afterUs),
            before: isoMicros(gap.beforeUs),
          });
          if (gaps.length < limit) continue;
          return { gaps, next_cursor: cursors.write(identity, [k, gap.fromId]) };
        }
      }
      return { gaps, next_cursor: null };
    },
  );

  app.get(
    '/v1/summary/:symbol/:date',
    {
      schema: {
        summary: 'A day of one symbol on every exchange, and over all of them.',
        params: Type.Object({ symbol: Type.String(), date: DAY.schema }),
        response: { 200: SUMMARY },
      },
    },
    async (request: FastifyRequest<{ Params: { symbol: string; date: string } }>) => {
      const { symbol, date } = request.params;
      if (!/^\d{4}-\d{2}-\d{2}$/.test(date)) {
        throw new Problem(400, 'date must be a UTC date such as 2026-11-23');
      }
      const fromUs = DAY.read(date, 'date');
      return daySummary(instrumentsOf(instruments, [symbol], undefined), fromUs, candles);
    },
  );
}
