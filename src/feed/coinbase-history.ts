/**
 * Coinbase Exchange REST: trades of a product, downwards from `after` (exclusive) or from the newest.
 * Both Coinbase feeds number trades alike, so both are filled from here.
 */
import { list, record, textOf } from './protocol.js';
import {
  type IdRange,
  PAGE_ROWS,
  type PageRequest,
  pageOfIds,
  pageRows,
  type TradeHistory,
} from './trade-history.js';

const COINBASE_REST_URL = 'https://api.exchange.coinbase.com';

/** Pages of a walk downwards without an upper end start here. */
const NEWEST = Number.POSITIVE_INFINITY;

function request(baseUrl: string, { symbol, lo }: IdRange, after: number): PageRequest {
  const query = new URLSearchParams({ limit: `${pageRows(after - lo)}` });
  if (after !== NEWEST) query.set('after', `${after}`);
  const url = `${baseUrl}/products/${encodeURIComponent(symbol)}/trades?${query}`;
  return { url, stepsBack: 0, lastId: after };
}

export const COINBASE_HISTORY: TradeHistory = {
  baseUrl: COINBASE_REST_URL,
  headers: {},
  // 10 a second are allowed.
  intervalMs: 200,
  first: (baseUrl, range) => request(baseUrl, range, range.hi + 1),
  next: (baseUrl, range, page, last) => {
    const isEnd = page.rows < PAGE_ROWS || page.firstId <= range.lo || page.firstId >= last.lastId;
    return isEnd ? undefined : request(baseUrl, range, page.firstId);
  },
  read: (body) => {
    if (Array.isArray(body)) return pageOfIds(list(body).map((row) => record(row).trade_id));
    const { message } = record(body);
    if (message === undefined) throw new Error('neither trades nor an error');
    const text = textOf(message);
    return { kind: 'refused', text, isRateLimit: /rate limit/i.test(text) };
  },
};
