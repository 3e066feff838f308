/**
 * Fetches ranges of trade ids over REST, one request at a time, beside the live feed.
 *
 * Nothing here may hurt the feed: requests keep their distance, a 429 or 418 stops all of them for as
 * long as the exchange says, pages and tries are bounded, and what cannot be had is given up and
 * stays in the gap ledger. Pages go to bronze as they came; gold drops what it has already.
 */
import { mark } from '#src/base/marks';
import type { Timer } from '#src/base/timers';
import { FRAME_BYTES_MAX } from '#src/log/frame';
import { backoffDelayMs } from './backoff.js';
import type { FeedPorts, HttpResponse } from './ports.js';
import { statusFloorMs } from './reconnect-decision.js';
import type { IdRange, Page, PageRequest, PageTrades, TradeHistory } from './trade-history.js';

export interface BackfillLimits {
  /** Pages of one range: 200 pages are 200,000 trades. */
  readonly pagesMax: number;
  readonly timeoutMs: number;
  /** Failures in a row after which a range is given up. */
  readonly failuresMax: number;
}

export const BACKFILL_LIMITS: BackfillLimits = {
  pagesMax: 200,
  timeoutMs: 10_000,
  failuresMax: 5,
};

const RETRY_BACKOFF = { baseMs: 1_000, capMs: 60_000, stableMs: 0 };
/** A rate limit that came without Retry-After. */
const RATE_LIMITED_MS = 60_000;
/** The tag line before the body in a rest frame: symbol and newline. */
const TAG_BYTES_MAX = 256;

export interface BackfillOwner {
  /** Stores a page; false when nothing can be stored now, and the range is to be kept. */
  onPage(range: IdRange, body: Uint8Array, page: PageTrades): boolean;
  /** A range is done with; `shortfall` says why it is not whole, or is undefined when it is. */
  onRangeEnded(range: IdRange, shortfall: string | undefined): void;
  onRateLimited(waitMs: number, text: string): void;
}

export class Backfill {
  readonly #history: TradeHistory;
  readonly #baseUrl: string;
  readonly #ports: FeedPorts;
  readonly #limits: BackfillLimits;
  readonly #owner: BackfillOwner;
  readonly #queue: IdRange[] = [];
  #timer: Timer | undefined;
  #isBusy = false;
  #isRunning = false;
  #notBeforeMs = 0;
  /** The range at the head of the queue: its next request, pages so far, failures in a row. */
  #request: PageRequest | undefined;
  #pages = 0;
  #failures = 0;
  #seenLo = Number.POSITIVE_INFINITY;
  #seenHi = -1;

  constructor(
    history: TradeHistory,
    baseUrl: string,
    ports: FeedPorts,
    limits: BackfillLimits,
    owner: BackfillOwner,
  ) {
    this.#history = history;
    this.#baseUrl = baseUrl.replace(/\/+$/, '');
    this.#ports = ports;
    this.#limits = limits;
    this.#owner = owner;
  }

  /** Ranges waiting or under way. */
  get waiting(): number {
    return this.#queue.length;
  }

  start(): void {
    this.#isRunning = true;
    this.#schedule();
  }

  /** No request is made any more; the answer of one under way is dropped. */
  stop(): void {
    this.#isRunning = false;
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  add(range: IdRange): void {
    this.#queue.push(range);
    this.#schedule();
  }

  #schedule(): void {
    if (!this.#isRunning || this.#isBusy || this.#timer !== undefined) return;
    if (this.#queue.length === 0) return;
    const waitMs = Math.max(0, this.#notBeforeMs - this.#ports.clock.monotonicMs());
    this.#timer = this.#ports.timers.after(waitMs, () => {
      this.#timer = undefined;
      this.#isBusy = true;
      this.#fetch(this.#queue[0] as IdRange);
    });
  }

  #fetch(range: IdRange): void {
    const request = this.#request ?? this.#history.first(this.#baseUrl, range);
    this.#request = request;
    const options = {
      timeoutMs: this.#limits.timeoutMs,
      bodyBytesMax: FRAME_BYTES_MAX - TAG_BYTES_MAX,
    };
    this.#ports.httpGet(request.url, this.#history.headers, options).then(
      (response) => this.#settle(() => this.#onResponse(range, request, response)),
      (error: unknown) => this.#settle(() => this.#onFailure(range, String(error))),
    );
  }

  #settle(act: () => void): void {
    this.#isBusy = false;
    if (this.#isRunning) act();
    else mark('backfill: an answer came after the stop');
  }

  #onResponse(range: IdRange, request: PageRequest, response: HttpResponse): void {
    const { status, headers, body } = response;
    if (status === 429 || status === 418) {
      const floorMs = statusFloorMs(status, headers['retry-after'], this.#ports.clock.nowUs());
      this.#onRateLimit(floorMs, `HTTP status ${status}`);
      return;
    }
    let page: Page;
    try {
      page = this.#history.read(JSON.parse(new TextDecoder().decode(body)));
    } catch (error) {
      this.#onFailure(range, `HTTP status ${status}, unreadable answer: ${String(error)}`);
      return;
    }
    if (page.kind === 'refused') {
      if (page.isRateLimit) this.#onRateLimit(RATE_LIMITED_MS, page.text);
      else this.#onFailure(range, `HTTP status ${status}, ${page.text}`);
    } else if (status !== 200) {
      this.#onFailure(range, `HTTP status ${status}`);
    } else {
      this.#onPage(range, request, body, page);
    }
  }

  #onPage(range: IdRange, request: PageRequest, body: Uint8Array, page: PageTrades): void {
    if (page.rows > 0 && !this.#owner.onPage(range, body, page)) {
      mark('backfill: a page could not be stored');
      this.#resumeAfter(RETRY_BACKOFF.baseMs);
      return;
    }
    this.#pages++;
    this.#seenLo = Math.min(this.#seenLo, page.firstId);
    this.#seenHi = Math.max(this.#seenHi, page.lastId);
    const next = this.#history.next(this.#baseUrl, range, page, request);
    if (next === undefined) {
      this.#onLastPage(range);
    } else if (this.#pages >= this.#limits.pagesMax) {
      this.#end(range, `more than ${this.#limits.pagesMax} pages`);
    } else {
      this.#failures = 0;
      this.#request = next;
      this.#resumeAfter(this.#history.intervalMs);
    }
  }

  #onLastPage(range: IdRange): void {
    const { lo, hi } = range;
    if (hi !== Number.POSITIVE_INFINITY && this.#seenHi < hi) {
      // The REST side lags behind the WebSocket by up to some seconds: ask the last page again.
      this.#onFailure(range, `no trade after ${Math.max(this.#seenHi, lo - 1)} is served`);
      return;
    }
    const isWhole = this.#seenLo <= lo || this.#seenHi < lo;
    this.#end(range, isWhole ? undefined : 'older trades are not served');
  }

  #onRateLimit(waitMs: number, text: string): void {
    mark('backfill: slowed down by the exchange');
    this.#owner.onRateLimited(waitMs, text);
    this.#resumeAfter(waitMs);
  }

  #onFailure(range: IdRange, why: string): void {
    mark('backfill: a request failed');
    this.#failures++;
    if (this.#failures >= this.#limits.failuresMax) {
      this.#end(range, why);
      return;
    }
    const backoffMs = backoffDelayMs(this.#failures, RETRY_BACKOFF, this.#ports.random);
    this.#resumeAfter(this.#history.intervalMs + backoffMs);
  }

  #end(range: IdRange, shortfall: string | undefined): void {
    this.#queue.shift();
    this.#request = undefined;
    this.#pages = 0;
    this.#failures = 0;
    this.#seenLo = Number.POSITIVE_INFINITY;
    this.#seenHi = -1;
    this.#owner.onRangeEnded(range, shortfall);
    this.#resumeAfter(this.#history.intervalMs);
  }

  #resumeAfter(waitMs: number): void {
    this.#notBeforeMs = this.#ports.clock.monotonicMs() + waitMs;
    this.#schedule();
  }
}
