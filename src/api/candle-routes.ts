/**
 * Candles, committed ones and live ones as one:
 *
 *   GET  /v1/ohlcv/:timeframe   of one instrument
 *   POST /v1/ohlcv/batch        up to 5 such questions at once, 25,000 candles together
 *   GET  /v1/ohlcv/health       how fresh and how complete each series is
 */
import { type Static, Type } from '@sinclair/typebox';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Instrument } from '#schemas/instrument';
import { type Answers, formatOf, MEDIA_TYPES } from '#src/api/answers';
import { CANDLE_ANSWER, candlesText, ccxtCandles, plainCandle } from '#src/api/candle-answer';
import { candlesHealth, SERIES_HEALTH } from '#src/api/candle-health';
import {
  CANDLE_QUERY,
  type CandleQuestion,
  candleQuestion,
  TIMEFRAME,
} from '#src/api/candle-query';
import type { CandleSource } from '#src/api/candle-source';
import { type FilledCandle, filledCandles } from '#src/api/filled-candles';
import type { History } from '#src/api/history';
import {
  oneOf,
  optional,
  type Parameter,
  readParameters,
  schemaOf,
  withDefault,
} from '#src/api/parameters';
import { Problem } from '#src/api/problem';
import { rowSchema } from '#src/api/row-schema';
import { ANSWER_FORMATS } from '#src/query/answer-format';

export interface CandleRoutes {
  readonly instruments: readonly Instrument[];
  readonly candles: CandleSource;
  /** Makes Arrow and Parquet; without it there are none. */
  readonly history: History | undefined;
  readonly answers: Answers;
  readonly nowUs: () => number;
}

const CANDLES = Type.Object({
  symbol: Type.String(),
  exchange: Type.String(),
  timeframe: Type.String(),
  candles: Type.Array(rowSchema(CANDLE_ANSWER)),
});
type Candles = Omit<Static<typeof CANDLES>, 'candles'> & { candles: readonly FilledCandle[] };

const QUERY = {
  ...CANDLE_QUERY,
  format: optional(
    oneOf(
      [...ANSWER_FORMATS, 'ccxt'] as const,
      'Of the answer; goes before the Accept header. ccxt: [[ms, open, high, low, close, volume]].',
    ),
  ),
};

const HEALTH_QUERY = { timeframe: withDefault(TIMEFRAME, '1m') };

const BATCH_QUERIES_MAX = 5;
const BATCH_CANDLES_MAX = 25_000;
const ONE_OF_BATCH = { timeframe: TIMEFRAME, ...CANDLE_QUERY };
const QUERIES: Parameter<unknown[]> = {
  schema: Type.Array(schemaOf(ONE_OF_BATCH), { minItems: 1, maxItems: BATCH_QUERIES_MAX }),
  optional: false,
  read(value, name) {
    const isGood = Array.isArray(value) && value.length > 0 && value.length <= BATCH_QUERIES_MAX;
    if (isGood) return value;
    throw new Problem(400, `${name} must be a list of 1 to ${BATCH_QUERIES_MAX} candle queries`);
  },
};

export function registerCandles(app: FastifyInstance, routes: CandleRoutes): void {
  const { instruments, candles } = routes;

  const answered = async (question: CandleQuestion): Promise<Candles> => {
    const { timeframe, instrument, fill, limit, which } = question;
    const rows = await candles.candles(question);
    const filled = fill === undefined ? rows : filledCandles(rows, timeframe, fill, limit, which);
    const { symbol, exchange } = instrument;
    return { symbol, exchange, timeframe, candles: filled };
  };

  app.get(
    '/v1/ohlcv/:timeframe',
    {
      schema: {
        summary: 'Candles of one instrument, committed and live ones as one.',
        params: Type.Object({ timeframe: TIMEFRAME.schema }),
        querystring: schemaOf(QUERY),
        response: { 200: CANDLES },
      },
    },
    async (request: FastifyRequest<{ Params: { timeframe: string } }>, reply) => {
      const timeframe = TIMEFRAME.read(request.params.timeframe, 'timeframe');
      const { format, ...query } = readParameters(QUERY, request.query);
      const answer = await answered(candleQuestion(instruments, timeframe, query));
      return send(routes, request, reply, answer, format);
    },
  );

  app.post(
    '/v1/ohlcv/batch',
    {
      schema: {
        summary: `Up to ${BATCH_QUERIES_MAX} candle queries at once.`,
        body: schemaOf({ queries: QUERIES }),
        response: { 200: Type.Object({ results: Type.Array(CANDLES) }) },
      },
    },
    async (request) => {
      const { queries } = readParameters({ queries: QUERIES }, request.body);
      const questions = queries.map((query) => {
        const { timeframe, ...rest } = readParameters(ONE_OF_BATCH, query);
        return candleQuestion(instruments, timeframe, rest);
      });
      const wanted = questions.reduce((sum, { limit }) => sum + limit, 0);
      if (wanted > BATCH_CANDLES_MAX) {
        const sentence = `the limits of all queries must be at most ${BATCH_CANDLES_MAX} together, got ${wanted}`;
        throw new Problem(400, sentence);
      }
      return { results: await Promise.all(questions.map(answered)) };
    },
  );

  app.get(
    '/v1/ohlcv/health',
    {
      schema: {
        summary: 'How fresh and how complete the candles of each instrument are.',
        querystring: schemaOf(HEALTH_QUERY),
        response: { 200: Type.Object({ series: Type.Array(SERIES_HEALTH) }) },
      },
    },
    async (request) => {
      const { timeframe } = readParameters(HEALTH_QUERY, request.query);
      return { series: await candlesHealth(instruments, timeframe, candles, routes.nowUs()) };
    },
  );
}

async function send(
  { answers, history }: CandleRoutes,
  request: FastifyRequest,
  reply: FastifyReply,
  answer: Candles,
  given: 'ccxt' | Parameters<typeof formatOf>[0],
): Promise<FastifyReply> {
  const { exchange, symbol, timeframe, candles } = answer;
  if (given === 'ccxt') {
    const type = 'application/json; charset=utf-8';
    return answers.sendBytes(reply, type, Buffer.from(ccxtCandles(candles)));
  }
  const format = formatOf(given, request);
  if (format === 'json') return reply.type(MEDIA_TYPES.json).send(candlesText(answer));
  if (history === undefined) throw new Problem(406, 'There are candles as JSON only.');
  const rows = candles.map(plainCandle);
  const encoded = { kind: 'encode', columns: CANDLE_ANSWER, rows, format } as const;
  const { body } = await history.askDirectly(encoded);
  const name = `${exchange}-${symbol}-${timeframe}`.toLowerCase();
  return answers.send(reply, format, name, body);
}
