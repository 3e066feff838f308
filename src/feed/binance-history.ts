/**
 * Binance REST: historicalTrades or aggTrades, upwards by id.
 *
 * A very old fromId is silently answered from the oldest id retained; those trades are good, and what
 * lies before them stays in the gap ledger.
 */
import type { BinanceStream } from './binance.js';
import { list, record, textOf } from './protocol.js';
import {
  type IdRange,
  PAGE_ROWS,
  type PageRequest,
  pageOfIds,
  pageRows,
  type TradeHistory,
} from './trade-history.js';

export const BINANCE_REST_URL = 'https://api.binance.com';
const TOO_MANY_REQUESTS = -1003;

export function binanceHistory(stream: BinanceStream): TradeHistory {
  const path = stream === 'trade' ? 'historicalTrades' : 'aggTrades';
  const request = (baseUrl: string, { symbol, hi }: IdRange, fromId: number): PageRequest => {
    const limit = pageRows(hi - fromId + 1);
    const query = new URLSearchParams({ symbol, fromId: `${fromId}`, limit: `${limit}` });
    return { url: `${baseUrl}/api/v3/${path}?${query}`, stepsBack: 0, lastId: fromId - 1 };
  };
  return {
    baseUrl: BINANCE_REST_URL,
    // Microseconds, as on the WebSocket: the same trade gets the same time.
    headers: { 'x-mbx-time-unit': 'MICROSECOND' },
    // historicalTrades weighs 25 of 6000 a minute, aggTrades 4.
    intervalMs: stream === 'trade' ? 500 : 100,
    first: (baseUrl, range) => request(baseUrl, range, range.lo),
    next: (baseUrl, range, page, last) => {
      const isEnd = page.rows < PAGE_ROWS || page.lastId >= range.hi || page.lastId <= last.lastId;
      return isEnd ? undefined : request(baseUrl, range, page.lastId + 1);
    },
    read: (body) => {
      if (!Array.isArray(body)) {
        const { code, msg } = record(body);
        if (code === undefined) throw new Error('neither trades nor an error');
        const text = `${textOf(msg)} (code ${textOf(code)})`;
        return { kind: 'refused', text, isRateLimit: code === TOO_MANY_REQUESTS };
      }
      const key = stream === 'trade' ? 'id' : 'a';
      return pageOfIds(list(body).map((row) => record(row)[key]));
    },
  };
}
