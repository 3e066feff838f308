/**
 * Kraken REST Trades, upwards by time: `since` is in nanoseconds.
 *
 * We know the id we want, not its time, so the first page starts a little before the receive time of
 * the trade before it, and moves back while it turns out to start too late (our clock may be
 * wrong). Many trades share one timestamp, so the next page starts one nanosecond before the last
 * trade of the page. Errors come with status 200.
 */
import { list, record, strings } from './protocol.js';
import {
  type IdRange,
  PAGE_ROWS,
  type PageRequest,
  pageOfIds,
  type TradeHistory,
} from './trade-history.js';

const KRAKEN_REST_URL = 'https://api.kraken.com';
const MARGIN_US = 5_000_000;
/** 1 min, 4 min, 16 min ... of clock error; after the sixth step (68 h) the gap is left open. */
const STEP_BACK_US = 60_000_000;
const STEPS_BACK_MAX = 6;
const RATE_LIMITS = /Rate limit|Too many requests|Throttled/;

function request(
  baseUrl: string,
  symbol: string,
  sinceNs: bigint,
  stepsBack: number,
  lastId: number,
): PageRequest {
  const query = new URLSearchParams({ pair: symbol, since: `${sinceNs}`, count: `${PAGE_ROWS}` });
  return { url: `${baseUrl}/0/public/Trades?${query}`, stepsBack, lastId };
}

function fromReceiveTime(baseUrl: string, range: IdRange, stepsBack: number): PageRequest {
  const backUs = stepsBack === 0 ? MARGIN_US : STEP_BACK_US * 4 ** (stepsBack - 1);
  const sinceUs = Math.max(0, Math.floor(range.sinceUs - backUs));
  return request(baseUrl, range.symbol, BigInt(sinceUs) * 1000n, stepsBack, -1);
}

export const KRAKEN_HISTORY: TradeHistory = {
  baseUrl: KRAKEN_REST_URL,
  headers: {},
  // The limit is unpublished; one a second is what others found to hold.
  intervalMs: 1_000,
  first: (baseUrl, range) => fromReceiveTime(baseUrl, range, 0),
  next: (baseUrl, range, page, last) => {
    // The trade before the range is ours already, so a page without it started too late.
    const startsLate = last.lastId === -1 && (page.rows === 0 || page.firstId > range.lo);
    if (startsLate && last.stepsBack < STEPS_BACK_MAX) {
      return fromReceiveTime(baseUrl, range, last.stepsBack + 1);
    }
    const isEnd = page.rows < PAGE_ROWS || page.lastId >= range.hi || page.lastId <= last.lastId;
    if (isEnd) return undefined;
    return request(baseUrl, range.symbol, BigInt(page.cursor) - 1n, last.stepsBack, page.lastId);
  },
  read: (body) => {
    const answer = record(body);
    const errors = strings(answer.error);
    if (errors.length > 0) {
      const text = errors.join(', ');
      return { kind: 'refused', text, isRateLimit: RATE_LIMITS.test(text) };
    }
    const result = record(answer.result);
    // The other key is Kraken's own name of the pair (XXBTZUSD), whatever was asked for.
    const key = Object.keys(result).find((name) => name !== 'last');
    const { last } = result;
    if (key === undefined || typeof last !== 'string' || !/^\d+$/.test(last)) {
      throw new Error('no trades or no cursor in the answer');
    }
    return pageOfIds(
      list(result[key]).map((row) => list(row)[6]),
      last,
    );
  },
};
