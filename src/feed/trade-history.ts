/**
 * What the backfill has to know of an exchange's REST API: which page to ask for next, and which ids
 * a page holds. Pure; one implementation per API (binance-history.ts and its neighbours).
 */
export interface IdRange {
  /** Native symbol. */
  readonly symbol: string;
  readonly lo: number;
  /** Inclusive; Infinity when only the exchange knows how far it has come. */
  readonly hi: number;
  /** Receive time of the last trade stored before `lo`, us, for APIs that page by time. */
  readonly sinceUs: number;
}

/** A request, and what the implementation wants to remember until its answer is in. */
export interface PageRequest {
  readonly url: string;
  /** Times the start was moved back, for APIs that page by time. */
  readonly stepsBack: number;
  /** Largest id of the page before, or -1. */
  readonly lastId: number;
}

export type Page =
  | {
      readonly kind: 'trades';
      readonly rows: number;
      /** Smallest and largest id; meaningless when there are no rows. */
      readonly firstId: number;
      readonly lastId: number;
      /** Where the exchange says the next page starts, where it does. */
      readonly cursor: string;
    }
  /** An answer that says no: the limit was hit, or the question is wrong. */
  | { readonly kind: 'refused'; readonly text: string; readonly isRateLimit: boolean };

export interface TradeHistory {
  readonly baseUrl: string;
  readonly headers: Readonly<Record<string, string>>;
  /** Pause between two requests: half the exchange's limit at most. */
  readonly intervalMs: number;
  first(baseUrl: string, range: IdRange): PageRequest;
  /** The next request, or undefined when nothing more of the range can be had. */
  next(
    baseUrl: string,
    range: IdRange,
    page: PageTrades,
    last: PageRequest,
  ): PageRequest | undefined;
  /** Reads an answer's body, parsed; throws when it is not what this API answers. */
  read(body: unknown): Page;
}

export type PageTrades = Page & { kind: 'trades' };

/** Rows per page, the most all three exchanges give. */
export const PAGE_ROWS = 1000;

/** Rows to ask for where `missing` ids are: a whole page for a small gap would be mostly duplicates. */
export function pageRows(missing: number): number {
  return Math.min(PAGE_ROWS, Math.max(1, missing));
}

/** The page of trades with these ids. Throws when one is no id. */
export function pageOfIds(ids: readonly unknown[], cursor = ''): PageTrades {
  let firstId = Number.POSITIVE_INFINITY;
  let lastId = -1;
  for (const id of ids) {
    if (!Number.isSafeInteger(id)) throw new Error(`trade id ${JSON.stringify(id)} in a page`);
    firstId = Math.min(firstId, id as number);
    lastId = Math.max(lastId, id as number);
  }
  return { kind: 'trades', rows: ids.length, firstId, lastId, cursor };
}
