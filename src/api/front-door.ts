/**
 * What stands before the router: the rate of each address, Host, Origin and size. A request that is
 * refused here gets a ready-made answer at half of what the router and its hooks cost, because a storm
 * of them shares its cores with the pipeline.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Access } from '#src/api/access';
import { PROBLEM_TYPE, Problem } from '#src/api/problem';
import {
  type ConnectionLimits,
  limitConnections,
  SECURITY_HEADERS,
  SERVER_LIMITS,
  sizeRefusal,
} from '#src/api/protection';
import { RequestCounts } from '#src/api/request-counts';

/** Files a client may ask for, for each request it may make otherwise. */
const FILES_PER_REQUEST = 5;

type Listener = (request: IncomingMessage, response: ServerResponse) => void;

export class FrontDoor {
  readonly #access: Access;
  readonly #limits: ConnectionLimits;
  readonly #monotonicMs: () => number;
  readonly #requests: RequestCounts;
  readonly #fileRequests: RequestCounts;
  readonly #tooMany: Problem;
  /** URLs of the page's files: counted apart, because one visit asks for two dozen of them. */
  readonly #files = new Set<string>();

  constructor(access: Access, limits: ConnectionLimits, monotonicMs: () => number) {
    const { requestsPerSecond } = limits;
    this.#access = access;
    this.#limits = limits;
    this.#monotonicMs = monotonicMs;
    this.#requests = new RequestCounts(requestsPerSecond);
    this.#fileRequests = new RequestCounts(FILES_PER_REQUEST * requestsPerSecond);
    this.#tooMany = new Problem(
      429,
      `More than ${requestsPerSecond} requests in a second (http.requests_per_second).`,
      { 'retry-after': '1' },
    );
  }

  addFile(path: string): void {
    this.#files.add(path);
  }

  /** The server; `listener` gets the requests that may come in. */
  server(listener: Listener): Server {
    const { http, keepAliveTimeout, requestTimeout, connectionTimeout } = SERVER_LIMITS;
    const server = createServer(http, (request, response) => {
      const refusal = this.refusal(request);
      if (refusal === undefined) listener(request, response);
      else answer(response, refusal);
    });
    server.keepAliveTimeout = keepAliveTimeout;
    server.requestTimeout = requestTimeout;
    server.timeout = connectionTimeout;
    limitConnections(server, this.#limits);
    return server;
  }

  /** Counts a request; why it is refused, undefined when it is not. Upgrades are asked, too. */
  refusal({ headers, rawHeaders, socket, url = '' }: IncomingMessage): Problem | undefined {
    const end = url.indexOf('?');
    const isFile = this.#files.has(end < 0 ? url : url.slice(0, end));
    const counts = isFile ? this.#fileRequests : this.#requests;
    if (!counts.take(socket.remoteAddress ?? '', this.#monotonicMs())) return this.#tooMany;
    return this.#access.senderRefusal(headers) ?? sizeRefusal(url, rawHeaders);
  }
}

function answer(response: ServerResponse, { status, text, headers }: Problem): void {
  response.writeHead(status, {
    ...SECURITY_HEADERS,
    ...headers,
    'content-type': PROBLEM_TYPE,
    'content-length': Buffer.byteLength(text),
  });
  response.end(text);
}
