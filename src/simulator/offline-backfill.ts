/**
 * The offline client's repair of gaps: ids that were jumped over are fetched over REST a second
 * later. It knows only what it heard, so a late or reordered trade is fetched too, and then arrives
 * twice, as in life.
 */
import { binanceRest } from '#src/simulator/binance-rest';
import { coinbaseRest } from '#src/simulator/coinbase-rest';
import type { Feed } from '#src/simulator/frame-format';
import { krakenRest } from '#src/simulator/kraken-rest';
import type { VenueState } from '#src/simulator/peer';
import type { RestHandler } from '#src/simulator/rest';

const DELAY_US = 1_000_000;
const PAGE_MAX = 1000;

const REST: Readonly<Record<Feed, RestHandler>> = {
  'binance-trade': binanceRest,
  'binance-aggtrade': binanceRest,
  kraken: krakenRest,
  coinbase: coinbaseRest,
  'coinbase-advanced': coinbaseRest,
};

interface Missing {
  readonly instrument: number;
  readonly first: number;
  readonly end: number;
  readonly dueUs: number;
}

export class Backfill {
  readonly #feed: Feed;
  readonly #venue: VenueState;
  /** The unit expected next, per instrument. */
  readonly #expected: Float64Array;
  readonly #missing: Missing[] = [];

  constructor(feed: Feed, venue: VenueState) {
    this.#feed = feed;
    this.#venue = venue;
    this.#expected = new Float64Array(venue.market.tapes.length);
  }

  /** A message arrived: whatever lies between the last one and it is missing. */
  heard(instrument: number, first: number, count: number, nowUs: number): void {
    const expected = this.#expected[instrument] as number;
    if (first > expected) {
      this.#missing.push({ instrument, first: expected, end: first, dueUs: nowUs + DELAY_US });
    }
    this.#expected[instrument] = Math.max(expected, first + count);
  }

  /**
   * Pages of everything due, each with its symbol line in front (kind `rest`, src/log/frame.ts).
   */
  *due(untilUs: number): Generator<Buffer> {
    while (this.#missing.length > 0 && (this.#missing[0] as Missing).dueUs <= untilUs) {
      const { instrument, first, end } = this.#missing.shift() as Missing;
      for (let at = first; at < end; at += PAGE_MAX) {
        yield this.#page(instrument, at, Math.min(end, at + PAGE_MAX));
      }
    }
  }

  #page(instrument: number, first: number, end: number): Buffer {
    const { nativeSymbol, startId } = this.#venue.market.tapes[instrument]!.instrument;
    const limit = String(end - first);
    const fromId = String(startId + first);
    switch (this.#feed) {
      case 'binance-trade':
        return this.#get(nativeSymbol, '/api/v3/historicalTrades', {
          symbol: nativeSymbol,
          fromId,
          limit,
        });
      case 'binance-aggtrade':
        return this.#get(nativeSymbol, '/api/v3/aggTrades', {
          symbol: nativeSymbol,
          fromId,
          limit,
        });
      case 'kraken': {
        // By time, not by id: one nanosecond before the first missing trade's microsecond.
        const tape = this.#venue.market.tapes[instrument]!;
        const since = String(BigInt(tape.time.get(first)) * 1000n - 1n);
        const count = String(
          Math.min(PAGE_MAX, end - first + this.#equalBefore(instrument, first)),
        );
        return this.#get(nativeSymbol, '/0/public/Trades', { pair: nativeSymbol, since, count });
      }
      default:
        return this.#get(nativeSymbol, `/products/${nativeSymbol}/trades`, {
          after: String(startId + end),
          limit,
        });
    }
  }

  /** Trades before `row` at the same time, which a page by time brings along. */
  #equalBefore(instrument: number, row: number): number {
    const tape = this.#venue.market.tapes[instrument]!;
    return row - tape.rowAtTime(tape.time.get(row));
  }

  #get(nativeSymbol: string, path: string, parameters: Record<string, string>): Buffer {
    const query = new URLSearchParams(parameters);
    const { body } = REST[this.#feed]({ path, query, headers: {} }, this.#venue);
    return Buffer.from(`${nativeSymbol}\n${body}`);
  }
}
