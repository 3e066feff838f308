/**
 * What trades amount to, exactly:
 *
 *   POST /v1/aggregations   vwap, twap, candles of any interval, volume profile, bars by size
 *   GET  /v1/compare        one symbol on several exchanges, as-of joined, with the spread
 *
 * Both read the trades of the last epoch; nothing counts beyond the time it was committed.
 */
import { Type } from '@sinclair/typebox';
import type { FastifyInstance } from 'fastify';
import { EXCHANGES } from '#schemas/exchange';
import type { Instrument } from '#schemas/instrument';
import { GOLD_TRADES } from '#schemas/trade';
import { type Answers, FORMAT, formatOf } from '#src/api/answers';
import { envelope, sendRows } from '#src/api/envelope';
import type { History } from '#src/api/history';
import { INSTRUMENT, instrumentOf, instrumentsOf } from '#src/api/instrument-names';
import {
  bad,
  decimal,
  interval,
  listOf,
  oneOf,
  optional,
  type Parameter,
  readParameters,
  schemaOf,
  type Values,
  withDefault,
} from '#src/api/parameters';
import { RANGE, type Range, rangeOf } from '#src/api/range';
import {
  AGGREGATION_ROWS_MAX,
  AGGREGATIONS,
  type AggregationKind,
  type AggregationRequest,
} from '#src/query/aggregation';
import { mayMatch, type TradeFilter } from '#src/query/trade-filter';

export interface AggregationRoutes {
  readonly instruments: readonly Instrument[];
  readonly history: History;
  readonly answers: Answers;
  readonly nowUs: () => number;
}

const AGGREGATION = {
  kind: oneOf(AGGREGATIONS, 'What to compute.'),
  ...INSTRUMENT,
  ...RANGE,
  interval: optional(
    interval(31, 'Of vwap, twap (all of the range unless given) and ohlcv: 1s to 31d.'),
  ),
  size: optional(
    decimal(
      'Of a volume_profile: its price step; of bars: trades (tick_bars), base asset (volume_bars) or quote asset (quote_bars) per bar. A decimal as text, or a whole number.',
    ),
  ),
  format: FORMAT,
};

const INTERVALS: Readonly<Record<AggregationKind, 'optional' | 'needed' | 'none'>> = {
  vwap: 'optional',
  twap: 'optional',
  ohlcv: 'needed',
  volume_profile: 'none',
  tick_bars: 'none',
  volume_bars: 'none',
  quote_bars: 'none',
};

const ONE = 100_000_000n;

const TRADE_BY_TRADE = 'trade';
const GRID: Parameter<number | typeof TRADE_BY_TRADE> = {
  ...interval(31, 'Between two rows, 1s to 31d; `trade`: a row at every time with a trade.'),
  read: (value, name) =>
    value === TRADE_BY_TRADE ? TRADE_BY_TRADE : interval(31, '').read(value, name),
};

const COMPARISON = {
  symbol: INSTRUMENT.symbol,
  exchanges: optional(
    listOf(oneOf(EXCHANGES, 'Exchange.'), EXCHANGES.length, 'All that list it unless given.'),
  ),
  ...RANGE,
  interval: withDefault(GRID, 60e6),
  max_age: withDefault(interval(1, 'A price older than this is no price.'), 300e6),
  format: FORMAT,
};

/** Their columns follow from the kind, and from the exchanges. */
const ROWS = Type.Object({}, { additionalProperties: true });

export function registerAggregations(app: FastifyInstance, routes: AggregationRoutes): void {
  const { instruments, history, answers, nowUs } = routes;
  app.post(
    '/v1/aggregations',
    {
      schema: {
        summary: 'VWAP, TWAP, candles of any interval, volume profile, and bars by size.',
        body: schemaOf(AGGREGATION),
        response: { 200: envelope('rows', ROWS) },
      },
    },
    async (request, reply) => {
      const values = readParameters(AGGREGATION, request.body ?? {});
      const format = formatOf(values.format, request);
      const { symbol, exchange } = instrumentOf(instruments, values.symbol, values.exchange);
      const range = rangeOf(values.start, values.end, nowUs());
      const aggregation = aggregationOf(values, range);
      const filter: TradeFilter = { instruments: [{ symbol, exchange }], ...range };
      const answer = await history.ask(GOLD_TRADES, range.startUs, range.endUs, (view) => ({
        kind: 'aggregation',
        files: view.files.filter((file) => mayMatch(file, filter)),
        filter,
        aggregation: { ...aggregation, endUs: Math.min(range.endUs, view.committedUs) },
        format,
      }));
      return sendRows(answers, reply, format, 'rows', answer, {});
    },
  );
  app.get(
    '/v1/compare',
    {
      schema: {
        summary: 'One symbol on several exchanges, as-of joined, with the spread.',
        querystring: schemaOf(COMPARISON),
        response: { 200: envelope('rows', ROWS) },
      },
    },
    async (request, reply) => {
      const values = readParameters(COMPARISON, request.query);
      const format = formatOf(values.format, request);
      const range = rangeOf(values.start, values.end, nowUs());
      const { max_age: maxAgeUs, symbol } = values;
      instrumentsOf(instruments, [symbol], undefined);
      const named = instrumentsOf(instruments, [symbol], values.exchanges);
      if (named.length < 2) {
        throw bad('symbol', `must be on at least two exchanges; ${symbol} is on ${named.length}`);
      }
      const intervalUs = values.interval === TRADE_BY_TRADE ? undefined : values.interval;
      checkWindows(range, intervalUs);
      const filter: TradeFilter = {
        instruments: named.map(({ exchange }) => ({ symbol, exchange })),
        startUs: range.startUs - maxAgeUs,
        endUs: range.endUs,
      };
      const answer = await history.ask(GOLD_TRADES, filter.startUs, filter.endUs, (view) => ({
        kind: 'comparison',
        files: view.files.filter((file) => mayMatch(file, filter)),
        filter,
        comparison: {
          exchanges: named.map(({ exchange }) => exchange),
          startUs: range.startUs,
          endUs: Math.min(range.endUs, view.committedUs),
          ...(intervalUs !== undefined && { intervalUs }),
          maxAgeUs,
          rowsMax: AGGREGATION_ROWS_MAX,
        },
        format,
      }));
      return sendRows(answers, reply, format, 'rows', answer, {});
    },
  );
}

function checkWindows({ startUs, endUs }: Range, intervalUs: number | undefined): void {
  if (intervalUs === undefined || (endUs - startUs) / intervalUs <= AGGREGATION_ROWS_MAX) return;
  throw bad('interval', `must divide the range into at most ${AGGREGATION_ROWS_MAX} windows`);
}

function aggregationOf(
  { kind, interval: intervalUs, size }: Values<typeof AGGREGATION>,
  range: Range,
): AggregationRequest {
  if (INTERVALS[kind] === 'none') {
    if (intervalUs !== undefined) throw bad('interval', `is not for ${kind}`);
    if (size === undefined) throw bad('size', `is missing; ${kind} needs one`);
    if (kind === 'tick_bars' && size % ONE !== 0n) {
      throw bad('size', 'of tick_bars must be a whole number of trades');
    }
    return { kind, ...range, size: kind === 'tick_bars' ? size / ONE : size };
  }
  if (size !== undefined) throw bad('size', `is not for ${kind}`);
  if (intervalUs === undefined) {
    if (INTERVALS[kind] === 'needed') throw bad('interval', `is missing; ${kind} needs one`);
    return { kind, ...range };
  }
  checkWindows(range, intervalUs);
  return { kind, ...range, intervalUs };
}
