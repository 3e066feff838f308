/**
 * Candles: `GET /v1/ohlcv/:timeframe`.
 */
import { Type } from '@sinclair/typebox';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { Instrument } from '#schemas/instrument';
import { CANDLE_QUERY, candleQuery, TIMEFRAME } from '#src/api/candle-query';
import type { CandleSource } from '#src/api/candle-source';
import { schemaOf } from '#src/api/parameters';

const decimal = Type.String({ description: 'Exact decimal.' });

const CANDLE = Type.Object({
  symbol: Type.String(),
  exchange: Type.String(),
  window_start: Type.String({ description: 'Inclusive, ISO 8601 UTC.' }),
  window_end: Type.String({ description: 'Exclusive, ISO 8601 UTC.' }),
  open: decimal,
  high: decimal,
  low: decimal,
  close: decimal,
  volume: decimal,
  trade_count: Type.Integer(),
  vwap: decimal,
  quote_volume: decimal,
  first_trade_id: Type.Integer(),
  last_trade_id: Type.Integer(),
  revision: Type.Integer(),
  is_final: Type.Boolean(),
  is_complete: Type.Boolean(),
});

const CANDLES = Type.Object({
  symbol: Type.String(),
  exchange: Type.String(),
  timeframe: Type.String(),
  candles: Type.Array(CANDLE),
});

export interface CandleRoutes {
  readonly instruments: readonly Instrument[];
  readonly candles: CandleSource;
}

export function registerCandles(
  app: FastifyInstance,
  { instruments, candles }: CandleRoutes,
): void {
  app.get(
    '/v1/ohlcv/:timeframe',
    {
      schema: {
        summary: 'Candles of one instrument, committed and live ones as one.',
        params: Type.Object({ timeframe: TIMEFRAME.schema }),
        querystring: schemaOf(CANDLE_QUERY),
        response: { 200: CANDLES },
      },
    },
    async (request: FastifyRequest<{ Params: { timeframe: string } }>) => {
      const range = candleQuery(instruments, request.params.timeframe, request.query);
      const { symbol, exchange } = range.instrument;
      const rows = await candles.candles(range);
      return { symbol, exchange, timeframe: range.timeframe, candles: rows };
    },
  );
}
