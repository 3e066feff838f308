/**
 * What stands before every route: limits, the Host allow-list and the security headers.
 *
 * The API has no login and listens on this machine only. That leaves web pages in this machine's
 * browser: the same-origin policy keeps their scripts from reading (no CORS headers are ever sent),
 * and the Host allow-list keeps a foreign name that resolves to 127.0.0.1 from becoming an origin.
 */
import type { Server } from 'node:http';
import type { FastifyHttpOptions, FastifyReply, FastifyRequest } from 'fastify';
import { Problem } from '#src/api/problem';

/** No route takes a body; this much is read before a client is told so. */
const BODY_BYTES_MAX = 64 * 1024;
/** The longest sensible query is below 200 bytes. */
const URL_BYTES_MAX = 8 * 1024;
const HEADER_BYTES_MAX = 16 * 1024;
const CONNECTIONS_MAX = 256;

/** Milliseconds; Node's own values (60 s, 300 s, 30 s) let one slow client hold a socket for long. */
const HEADERS_TIMEOUT_MS = 10_000;
const REQUEST_TIMEOUT_MS = 30_000;
const CHECK_INTERVAL_MS = 1_000;
const KEEP_ALIVE_MS = 5_000;

export const SERVER_LIMITS = {
  bodyLimit: BODY_BYTES_MAX,
  requestTimeout: REQUEST_TIMEOUT_MS,
  keepAliveTimeout: KEEP_ALIVE_MS,
  // Stopping must not wait for idle or slow clients.
  forceCloseConnections: true,
  http: {
    maxHeaderSize: HEADER_BYTES_MAX,
    headersTimeout: HEADERS_TIMEOUT_MS,
    connectionsCheckingInterval: CHECK_INTERVAL_MS,
  },
} satisfies FastifyHttpOptions<Server>;

export const SERVER_CONNECTIONS_MAX = CONNECTIONS_MAX;

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

/** This machine by name, with any port: a forwarded port is still this machine. */
const LOCAL_HOST = /^(localhost|127\.0\.0\.1|\[::1\])(:\d{1,5})?$/i;

export function isLocalHost(host: string | undefined): boolean {
  return host !== undefined && LOCAL_HOST.test(host);
}

/** First hook of every request. */
export async function protect(request: FastifyRequest, reply: FastifyReply): Promise<void> {
  reply.headers(SECURITY_HEADERS);
  if (!isLocalHost(request.raw.headers.host)) {
    throw new Problem(421, 'The Host header must be localhost, 127.0.0.1 or [::1].');
  }
  if ((request.raw.url ?? '').length > URL_BYTES_MAX) {
    throw new Problem(414, `The URL must be at most ${URL_BYTES_MAX} bytes long.`);
  }
}
