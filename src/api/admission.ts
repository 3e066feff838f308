/**
 * Who may go on to a route: every request that came through the front door (src/api/front-door.ts) is
 * asked for the token and the role its route needs, and every upgrade for all of it at once before it
 * becomes a WebSocket.
 *
 * A route says what it needs in its `config.access`; one that says nothing needs the role read.
 */
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import type { FastifyInstance } from 'fastify';
import type { Access, Need } from '#src/api/access';
import type { FrontDoor } from '#src/api/front-door';
import { SECURITY_HEADERS } from '#src/api/protection';
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
  upgrade(request: IncomingMessage, socket: Duplex, need: Need): boolean;
}

/** For all routes added to `app` from now on. */
export function admit(app: FastifyInstance, access: Access, door: FrontDoor): Admission {
  app.addHook('onRoute', ({ url, config }) => {
    if (config?.isFile === true) door.addFile(url);
  });
  app.addHook('onRequest', (request, reply, next) => {
    void reply.headers(SECURITY_HEADERS);
    const { headers } = request.raw;
    const isPreflight = request.method === 'OPTIONS';
    const { access: need = 'read' } = request.routeOptions.config;
    const refusal = access.roleRefusal(headers, isPreflight ? 'public' : need);
    if (refusal !== undefined) {
      next(refusal);
      return;
    }
    const origin = access.foreignOrigin(headers);
    if (origin === undefined) {
      next();
      return;
    }
    void reply.headers({
      'access-control-allow-origin': origin,
      'cross-origin-resource-policy': 'cross-origin',
      vary: 'origin',
    });
    if (!isPreflight) {
      next();
      return;
    }
    void reply.headers({
      'access-control-allow-methods': 'GET, POST',
      'access-control-allow-headers': 'authorization, content-type',
      'access-control-max-age': '600',
    });
    void reply.code(204).send();
  });
  return {
    upgrade(request, socket, need) {
      const refusal = door.refusal(request) ?? access.roleRefusal(request.headers, need);
      if (refusal !== undefined) answerRaw(socket, refusal);
      return refusal === undefined;
    },
  };
}
