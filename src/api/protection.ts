/**
 * What stands before every route: limits on what a client may send and hold open, and the security
 * headers of every answer.
 */
import type { Server } from 'node:http';
import type { FastifyHttpOptions } from 'fastify';
import { Problem } from '#src/api/problem';

const BODY_BYTES_MAX = 64 * 1024;
/** The longest sensible query is below 1,000 bytes. */
const URL_BYTES_MAX = 8 * 1024;
const HEADER_BYTES_MAX = 16 * 1024;
const HEADERS_MAX = 64;

/** Milliseconds; Node's own values (60 s, 300 s, 30 s) let one slow client hold a socket for long. */
const HEADERS_TIMEOUT_MS = 10_000;
const REQUEST_TIMEOUT_MS = 30_000;
const CHECK_INTERVAL_MS = 1_000;
const KEEP_ALIVE_MS = 5_000;
/** A client that takes nothing of its answer for this long is cut off; an idle event stream beats every 30 s. */
const STALLED_MS = 40_000;

export const SERVER_LIMITS = {
  bodyLimit: BODY_BYTES_MAX,
  requestTimeout: REQUEST_TIMEOUT_MS,
  connectionTimeout: STALLED_MS,
  keepAliveTimeout: KEEP_ALIVE_MS,
  // Stopping must not wait for idle or slow clients.
  forceCloseConnections: true,
  http: {
    maxHeaderSize: HEADER_BYTES_MAX,
    headersTimeout: HEADERS_TIMEOUT_MS,
    connectionsCheckingInterval: CHECK_INTERVAL_MS,
  },
} satisfies FastifyHttpOptions<Server>;

export interface ConnectionLimits {
  readonly connections: number;
  readonly connectionsPerAddress: number;
  /** Requests per second and client address. */
  readonly requestsPerSecond: number;
}

export const DEFAULT_LIMITS: ConnectionLimits = {
  connections: 256,
  connectionsPerAddress: 32,
  requestsPerSecond: 100,
};

export const SECURITY_HEADERS: Readonly<Record<string, string>> = {
  'cache-control': 'no-store',
  'content-security-policy':
    "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; object-src 'none'",
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
};

const LONG_URL = new Problem(414, `The URL must be at most ${URL_BYTES_MAX} bytes long.`);
const MANY_HEADERS = new Problem(431, `A request has at most ${HEADERS_MAX} headers.`);

/** Why a request is refused for the length of its URL or its number of headers. */
export function sizeRefusal(url: string, rawHeaders: readonly string[]): Problem | undefined {
  if (url.length > URL_BYTES_MAX) return LONG_URL;
  return rawHeaders.length > 2 * HEADERS_MAX ? MANY_HEADERS : undefined;
}

/** Closes connections above the limits as soon as they are made; upgraded ones count on. */
export function limitConnections(server: Server, limits: ConnectionLimits): void {
  server.maxConnections = limits.connections;
  const open = new Map<string, number>();
  server.on('connection', (socket) => {
    const address = socket.remoteAddress ?? '';
    const count = (open.get(address) ?? 0) + 1;
    if (count > limits.connectionsPerAddress) {
      socket.destroy();
      return;
    }
    open.set(address, count);
    socket.once('close', () => {
      const left = (open.get(address) as number) - 1;
      if (left === 0) open.delete(address);
      else open.set(address, left);
    });
  });
}
