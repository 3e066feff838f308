/**
 * The read API over HTTP, on this machine only.
 *
 *   GET /v1/ohlcv/:timeframe  candles of one instrument (parameters: src/api/candle-query.ts)
 *   GET /v1/symbols           the instruments, in the order of configs/instruments.yaml
 *   GET /health               200 when ready, 503 when not, with the facts either way
 *   GET /health/live          200 as long as the process answers
 *   /iceberg/v1/...           the tables as an Iceberg REST catalog (src/api/iceberg-routes.ts)
 *
 * Decimals are strings. Every error is a problem document (src/api/problem.ts). The gateway knows
 * neither store nor sockets: candles and status come from whoever wires it.
 */
import type { Socket } from 'node:net';
import { type Static, Type } from '@sinclair/typebox';
import {
  type FastifyError,
  type FastifyInstance,
  type FastifyReply,
  type FastifyRequest,
  fastify,
} from 'fastify';
import type { Instrument } from '#schemas/instrument';
import { candleQuery } from '#src/api/candle-query';
import type { CandleSource } from '#src/api/candle-source';
import { HEALTH, health, type StatusSource } from '#src/api/health';
import { type IcebergSource, registerIceberg } from '#src/api/iceberg-routes';
import { PROBLEM_TYPE, Problem, problemBody, statusDetail } from '#src/api/problem';
import {
  protect,
  SECURITY_HEADERS,
  SERVER_CONNECTIONS_MAX,
  SERVER_LIMITS,
} from '#src/api/protection';
import { EXIT, errorCode, UserError } from '#src/base/errors';

export interface GatewayOptions {
  readonly instruments: readonly Instrument[];
  readonly candles: CandleSource;
  readonly status: StatusSource;
  /** The tables; without it there is no catalog. */
  readonly iceberg?: IcebergSource;
  /** Told of every failure that a client only sees as "the server failed". */
  readonly onFailure: (error: unknown) => void;
}

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

const SYMBOLS = Type.Object({
  symbols: Type.Array(
    Type.Object({
      symbol: Type.String(),
      exchange: Type.String(),
      native_symbol: Type.String(),
      base_asset: Type.String(),
      quote_asset: Type.String(),
    }),
  ),
});

const LIVE = Type.Object({ live: Type.Literal(true) });

function symbolList(instruments: readonly Instrument[]): Static<typeof SYMBOLS> {
  return {
    symbols: instruments.map((i) => ({
      symbol: i.symbol,
      exchange: i.exchange,
      native_symbol: i.nativeSymbol,
      base_asset: i.baseAsset,
      quote_asset: i.quoteAsset,
    })),
  };
}

function sendProblem(reply: FastifyReply, status: number, detail: string): void {
  reply
    .code(status)
    .type(PROBLEM_TYPE)
    // Ready-made text: no response schema may cut a field of it.
    .serializer((body: string) => body)
    .send(JSON.stringify(problemBody(status, detail)));
}

/** A request that was no HTTP has no reply object: the answer is written to the socket. */
function answerBrokenRequest(error: Error, socket: Socket): void {
  const code = errorCode(error);
  if (code === 'ECONNRESET' || socket.destroyed || !socket.writable) {
    socket.destroy();
    return;
  }
  const status =
    code === 'HPE_HEADER_OVERFLOW' ? 431 : code === 'ERR_HTTP_REQUEST_TIMEOUT' ? 408 : 400;
  const problem = problemBody(status, statusDetail(status));
  const body = JSON.stringify(problem);
  const headers = { ...SECURITY_HEADERS, 'content-type': PROBLEM_TYPE, connection: 'close' };
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  const length = `content-length: ${Buffer.byteLength(body)}\r\n`;
  socket.end(`HTTP/1.1 ${status} ${problem.title}\r\n${lines.join('')}${length}\r\n${body}`);
}

export function createGateway(options: GatewayOptions): FastifyInstance {
  const { instruments, candles, status: statusSource, iceberg, onFailure } = options;

  const answerError = (error: unknown, reply: FastifyReply): void => {
    if (error instanceof Problem) {
      sendProblem(reply, error.status, error.message);
      return;
    }
    // Only the HTTP layer's own refusals carry a status to pass on; another error that happens to
    // have one is a failure of ours all the same.
    const status = errorCode(error).startsWith('FST_ERR_')
      ? ((error as FastifyError).statusCode ?? 500)
      : 500;
    if (status >= 500) onFailure(error);
    sendProblem(reply, status, statusDetail(status));
  };

  const app = fastify({
    ...SERVER_LIMITS,
    logger: false,
    // What fails before routing, such as a URL with a broken escape, passes no hook.
    frameworkErrors: (error, _request, reply) => {
      reply.headers(SECURITY_HEADERS);
      answerError(error, reply);
    },
    clientErrorHandler: answerBrokenRequest,
  });
  app.server.maxConnections = SERVER_CONNECTIONS_MAX;

  app.addHook('onRequest', protect);
  // Filled by the routes themselves, those others add included.
  const routes: string[] = [];
  app.addHook('onRoute', ({ method, url }) => {
    if (method === 'GET') routes.push(`GET ${url}`);
  });
  app.setErrorHandler((error, _request, reply) => answerError(error, reply));
  app.setNotFoundHandler((_request, reply) => {
    sendProblem(reply, 404, `There is no such route; there are ${routes.join(', ')}.`);
  });

  const json = (schema: object) => ({ schema: { response: { 200: schema } } });

  app.get(
    '/v1/ohlcv/:timeframe',
    json(CANDLES),
    async (request: FastifyRequest<{ Params: { timeframe: string } }>) => {
      const range = candleQuery(instruments, request.params.timeframe, request.query);
      const { symbol, exchange } = range.instrument;
      const rows = await candles.candles(range);
      return { symbol, exchange, timeframe: range.timeframe, candles: rows };
    },
  );
  app.get('/v1/symbols', json(SYMBOLS), async () => symbolList(instruments));
  app.get(
    '/health',
    { schema: { response: { 200: HEALTH, 503: HEALTH } } },
    async (_request, reply) => {
      const report = health(statusSource.status());
      reply.code(report.ready ? 200 : 503);
      return report;
    },
  );
  app.get('/health/live', json(LIVE), async () => ({ live: true as const }));
  if (iceberg !== undefined) registerIceberg(app, iceberg, onFailure);
  return app;
}

/** Starts listening; the port that was bound (port 0 takes any free one). */
export async function listen(app: FastifyInstance, host: string, port: number): Promise<number> {
  try {
    await app.listen({ host, port });
  } catch (error) {
    const code = errorCode(error);
    if (code === 'EADDRINUSE') {
      throw new UserError(
        EXIT.config,
        `port ${port} on ${host} is taken: stop what holds it or set http.port`,
        { cause: error },
      );
    }
    if (code === 'EACCES' || code === 'EADDRNOTAVAIL') {
      throw new UserError(
        EXIT.config,
        `port ${port} on ${host} cannot be opened (${code}): set http.host and http.port`,
        { cause: error },
      );
    }
    throw error;
  }
  const address = app.server.address();
  return typeof address === 'object' && address !== null ? address.port : port;
}
