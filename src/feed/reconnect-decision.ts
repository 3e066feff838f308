/**
 * How a connection ended, and what that says about coming back.
 *
 * The decision is a floor under the back-off delay: 0 where the exchange did nothing unusual, the
 * Retry-After it sent, or a wait of our own where it told us to go away without saying for how long.
 */
export type ConnectionEnd =
  /** The peer closed, or the transport broke (1006). */
  | { readonly kind: 'closed'; readonly code: number; readonly reason: string }
  /** The handshake got an HTTP answer instead of 101. */
  | { readonly kind: 'refused'; readonly status: number; readonly retryAfter: string | undefined }
  /** DNS, TCP or TLS failed. */
  | { readonly kind: 'error'; readonly message: string }
  | { readonly kind: 'connect_timeout' }
  /** Half-open: the transport stands, nothing comes. */
  | { readonly kind: 'silent'; readonly silentMs: number }
  | { readonly kind: 'unacknowledged' }
  /** No symbol of this connection is one the exchange knows. */
  | { readonly kind: 'rejected' }
  | { readonly kind: 'oversize' }
  /** We closed it: rotation, stop. */
  | { readonly kind: 'done' };

/** Binance bans start at 2 min; used when 418 comes without Retry-After. */
const BAN_MS = 120_000;
const RATE_LIMITED_MS = 60_000;
const REFUSED_MS = 30_000;
const TRY_LATER_MS = 5_000;
/** Longest Retry-After obeyed: Binance's longest ban. */
const RETRY_AFTER_MS_MAX = 3 * 86_400_000;

/** Reads Retry-After, seconds or an HTTP date; undefined when it is absent or unreadable. */
export function retryAfterMs(header: string | undefined, nowUs: number): number | undefined {
  if (header === undefined) return undefined;
  const seconds = /^\s*\d+\s*$/.test(header)
    ? Number(header)
    : (Date.parse(header) - nowUs / 1000) / 1000;
  if (Number.isNaN(seconds)) return undefined;
  return Math.min(Math.max(0, seconds * 1000), RETRY_AFTER_MS_MAX);
}

/** Shortest wait an HTTP status imposes; 0 when it imposes none. */
export function statusFloorMs(
  status: number,
  retryAfter: string | undefined,
  nowUs: number,
): number {
  const asked = retryAfterMs(retryAfter, nowUs);
  if (status === 418) return asked ?? BAN_MS;
  if (status === 429) return asked ?? RATE_LIMITED_MS;
  // 403 is Binance's web application firewall; other 4xx will not heal by asking at once.
  if (status >= 400 && status < 500) return asked ?? REFUSED_MS;
  return asked ?? 0;
}

/** Shortest wait before the next attempt; back-off comes on top of it. */
export function reconnectFloorMs(end: ConnectionEnd, nowUs: number): number {
  switch (end.kind) {
    case 'refused':
      return statusFloorMs(end.status, end.retryAfter, nowUs);
    case 'closed':
      // 1008 is how a breach of the message limit ends; 1013 says "try again later".
      if (end.code === 1008) return REFUSED_MS;
      return end.code === 1013 ? TRY_LATER_MS : 0;
    case 'rejected':
      return RATE_LIMITED_MS;
    default:
      return 0;
  }
}

/** One clause for a report: what happened. */
export function describeEnd(end: ConnectionEnd): string {
  switch (end.kind) {
    case 'closed':
      return `closed by the exchange with code ${end.code}${end.reason === '' ? '' : ` (${end.reason})`}`;
    case 'refused':
      return `refused with HTTP status ${end.status}`;
    case 'error':
      return `failed: ${end.message}`;
    case 'connect_timeout':
      return 'no answer to the handshake';
    case 'silent':
      return `silent for ${Math.round(end.silentMs / 1000)} s`;
    case 'unacknowledged':
      return 'no subscription was acknowledged';
    case 'rejected':
      return 'every subscription was rejected';
    case 'oversize':
      return 'a message was larger than a frame may be';
    case 'done':
      return 'closed';
  }
}
