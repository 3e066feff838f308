/**
 * The API over HTTP: the front door (src/api/front-door.ts), then one file per group of routes.
 *
 * Decimals are strings. Every error is a problem document (src/api/problem.ts). The gateway knows
 * neither store nor sockets: candles, trades and status come from whoever wires it.
 */
import { type FastifyError, type FastifyInstance, type FastifyReply, fastify } from 'fastify';
import type { Instrument } from '#schemas/instrument';
import { Access, type AccessRules, THIS_MACHINE_ONLY } from '#src/api/access';
import { type Admission, admit } from '#src/api/admission';
import { registerAggregations } from '#src/api/aggregation-routes';
import { Answers } from '#src/api/answers';
import { registerCandles } from '#src/api/candle-routes';
import type { CandleSource } from '#src/api/candle-source';
import { Cursors } from '#src/api/cursor';
import { registerDeadLetters } from '#src/api/dead-letter-routes';
import { documentRoutes, serveDocuments } from '#src/api/documents';
import { FrontDoor } from '#src/api/front-door';
import type { StatusSource } from '#src/api/health';
import { registerHealth } from '#src/api/health-routes';
import { History, type HistorySource } from '#src/api/history';
import { type IcebergSource, registerIceberg } from '#src/api/iceberg-routes';
import { registerPage } from '#src/api/page-routes';
import { PROBLEM_TYPE, Problem, statusDetail } from '#src/api/problem';
import {
  type ConnectionLimits,
  DEFAULT_LIMITS,
  SECURITY_HEADERS,
  SERVER_LIMITS,
} from '#src/api/protection';
import { answerBrokenRequest } from '#src/api/raw-answer';
import { registerRecent } from '#src/api/recent-routes';
import { type LedgerSource, registerReports } from '#src/api/report-routes';
import { serializersWhenAsked } from '#src/api/serializers';
import { registerSnapshots } from '#src/api/snapshot-routes';
import { registerSymbols } from '#src/api/symbol-routes';
import { registerTrades } from '#src/api/trade-routes';
import { registerUdf } from '#src/api/udf-routes';
import { systemClock } from '#src/base/clock';
import { errorCode } from '#src/base/errors';
import type { LiveTradesReader } from '#src/trades/live-trades';

export interface GatewayOptions {
  readonly instruments: readonly Instrument[];
  readonly candles: CandleSource;
  readonly status: StatusSource;
  readonly nowUs: () => number;
  /** For the rate of each client; the machine's clock unless given. */
  readonly monotonicMs?: () => number;
  /** The tables; without it there is no catalog. */
  readonly iceberg?: IcebergSource;
  /** Committed files and the threads that read them; without it there is no history. */
  readonly history?: HistorySource;
  /** The newest trades in shared memory. */
  readonly liveTrades?: LiveTradesReader;
  /** Counts and gaps; without it there are no reports. */
  readonly ledger?: LedgerSource;
  /** Signs cursors, 32 bytes; cursors of another one are refused. */
  readonly cursorSecret: Uint8Array;
  /** Who may ask; only this machine, without a token, unless given. */
  readonly access?: AccessRules;
  readonly limits?: ConnectionLimits;
  /** Adds what is served beside the routes here, and takes upgrades: the live stream. */
  readonly push?: (app: FastifyInstance, admission: Admission) => void;
  /** Told of every failure that a client only sees as "the server failed". */
  readonly onFailure: (error: unknown) => void;
}

function sendProblem(reply: FastifyReply, { status, text, headers }: Problem): void {
  reply
    .code(status)
    .headers(headers)
    .type(PROBLEM_TYPE)
    // Ready-made text: no response schema may cut a field of it.
    .serializer((body: string) => body)
    .send(text);
}

/** Sentences for bodies that Fastify could not read. */
const BODY_DETAILS: Readonly<Record<string, string>> = {
  FST_ERR_CTP_EMPTY_JSON_BODY: 'The request body is empty; it must be a JSON object.',
  FST_ERR_CTP_INVALID_JSON_BODY: 'The request body is not valid JSON.',
};

/** Only the HTTP layer's own refusals carry a status to pass on; another error that happens to have
 * one is a failure of ours all the same. */
function problemOf(error: unknown): Problem {
  if (error instanceof Problem) return error;
  const code = errorCode(error);
  const status = code.startsWith('FST_ERR_') ? ((error as FastifyError).statusCode ?? 500) : 500;
  return new Problem(status, BODY_DETAILS[code] ?? statusDetail(status));
}

export async function createGateway(options: GatewayOptions): Promise<FastifyInstance> {
  const { instruments, candles, status, iceberg, ledger, nowUs, onFailure } = options;

  const answerError = (error: unknown, reply: FastifyReply): void => {
    const problem = problemOf(error);
    if (problem.status >= 500 && problem !== error) onFailure(error);
    sendProblem(reply, problem);
  };

  const access = new Access(options.access ?? THIS_MACHINE_ONLY);
  const { limits = DEFAULT_LIMITS, monotonicMs = systemClock().monotonicMs } = options;
  const door = new FrontDoor(access, limits, monotonicMs);
  const app = fastify({
    ...SERVER_LIMITS,
    serverFactory: (listener) => door.server(listener),
    logger: false,
    // What fails before routing, such as a URL with a broken escape, passes no hook.
    frameworkErrors: (error, _request, reply) => {
      reply.headers(SECURITY_HEADERS);
      answerError(error, reply);
    },
    clientErrorHandler: answerBrokenRequest,
    schemaController: {
      compilersFactory: {
        // Parameters are read by the literals that also make the schemas (src/api/parameters.ts);
        // the declaration has Ajv in mind, which would be loaded otherwise.
        buildValidator: (() => () => () => true) as never,
        buildSerializer: serializersWhenAsked,
      },
    },
  });
  app.removeContentTypeParser('text/plain');
  app.setErrorHandler((error, _request, reply) => answerError(error, reply));
  const admission = admit(app, access, door);
  await documentRoutes(app);
  // Filled by the routes themselves, those others add included.
  const routes: string[] = [];
  app.addHook('onRoute', ({ method, url, schema }) => {
    if ((method === 'GET' || method === 'POST') && schema?.hide !== true) {
      routes.push(`${method} ${url}`);
    }
  });
  let noRoute: Problem | undefined;
  app.setNotFoundHandler((_request, reply) => {
    // The first one comes when all routes are there.
    noRoute ??= new Problem(404, `There is no such route; there are ${routes.join(', ')}.`);
    sendProblem(reply, noRoute);
  });

  const answers = new Answers();
  const cursors = new Cursors(options.cursorSecret);
  const history = options.history && new History(options.history, onFailure);
  registerCandles(app, { instruments, candles, history, answers, nowUs });
  if (history !== undefined) {
    if (options.liveTrades !== undefined) {
      const { liveTrades } = options;
      registerRecent(app, { instruments, liveTrades, history, answers, nowUs });
    }
    registerTrades(app, { instruments, history, cursors, answers, nowUs });
    registerAggregations(app, { instruments, history, answers, nowUs });
    registerSnapshots(app, { instruments, history, answers, nowUs });
    registerDeadLetters(app, { history, cursors, answers, nowUs });
  }
  if (ledger !== undefined) registerReports(app, { instruments, candles, ledger, cursors });
  registerSymbols(app, instruments);
  registerUdf(app, { instruments, candles, nowUs });
  registerHealth(app, status);
  if (iceberg !== undefined) registerIceberg(app, iceberg, onFailure);
  registerPage(app);
  options.push?.(app, admission);
  serveDocuments(app);
  return app;
}
