/**
 * The door: every request passes it before its route is looked at, and every upgrade before it
 * becomes a WebSocket. Host, Origin and token (src/api/access.ts), size, and the rate of each client.
 *
 * A route says what it needs in its `config.access`; one that says nothing needs the role read.
 */
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import rateLimit from '@fastify/rate-limit';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Access, Need } from '#src/api/access';
import { Problem } from '#src/api/problem';
import {
  type ConnectionLimits,
  checkSize,
  limitConnections,
  SECURITY_HEADERS,
} from '#src/api/protection';
import { answerRaw } from '#src/api/raw-answer';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Who may use the route; the role read when absent. */
    access?: Need;
    /** A file of a page: counted apart, because one visit asks for two dozen of them. */
    isFile?: boolean;
  }
}

/** For servers on the same port that are not routes: WebSockets. */
export interface Admission {
  /** Whether an upgrade may go on; one that may not has been answered and its socket is closing. */
  upgrade(request: IncomingMessage, socket: Duplex, need: Need): Promise<boolean>;
}

/** Clients whose rate is remembered; the one not seen for longest is forgotten first. */
const CLIENTS_MAX = 4_096;
/** Files a client may ask for, for each request it may make otherwise. */
const FILES_PER_REQUEST = 5;

/** Puts the door in front of all routes added to `app` from now on. */
export async function admit(
  app: FastifyInstance,
  access: Access,
  limits: ConnectionLimits,
): Promise<Admission> {
  limitConnections(app.server, limits);
  const tooMany = new Problem(
    429,
    `More than ${limits.requestsPerSecond} requests in a second (http.requests_per_second).`,
    { 'retry-after': '1' },
  );
  await app.register(rateLimit, {
    global: false,
    max: limits.requestsPerSecond,
    timeWindow: 1_000,
    cache: CLIENTS_MAX,
    errorResponseBuilder: () => tooMany,
  });
  const counted = app.rateLimit();
  const countedFile = app.rateLimit({ max: FILES_PER_REQUEST * limits.requestsPerSecond });
  app.addHook('onRequest', async (request: FastifyRequest, reply: FastifyReply) => {
    void reply.headers(SECURITY_HEADERS);
    const { access: given = 'read', isFile = false } = request.routeOptions.config;
    await (isFile ? countedFile : counted).call(app, request, reply);
    const { headers, rawHeaders, url = '' } = request.raw;
    const isPreflight = request.method === 'OPTIONS';
    const refusal = access.refusal(headers, isPreflight ? 'public' : given);
    if (refusal !== undefined) throw refusal;
    checkSize(url, rawHeaders);
    const origin = access.foreignOrigin(headers);
    if (origin === undefined) return;
    void reply.headers({
      'access-control-allow-origin': origin,
      'cross-origin-resource-policy': 'cross-origin',
      vary: 'origin',
    });
    if (!isPreflight) return;
    void reply.headers({
      'access-control-allow-methods': 'GET, POST',
      'access-control-allow-headers': 'authorization, content-type',
      'access-control-max-age': '600',
    });
    return reply.code(204).send();
  });
  const rate = app.createRateLimit();
  return {
    async upgrade(request, socket, need) {
      const ip = request.socket.remoteAddress ?? '';
      const counted = await rate({ ip, routeOptions: { config: {} } } as FastifyRequest);
      const { headers } = request;
      const refusal =
        !counted.isAllowed && counted.isExceeded ? tooMany : access.refusal(headers, need);
      if (refusal !== undefined) answerRaw(socket, refusal);
      return refusal === undefined;
    },
  };
}
