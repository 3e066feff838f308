/**
 * Finds the symbols that will never trade: those without a trade two minutes after the start are looked
 * up in the exchange's listing, one at a time and each until it was answered once.
 *
 * Only reports. A symbol that is listed later trades without anything being done here, because
 * its subscription stands.
 */
import type { FeedPorts } from './ports.js';
import { statusFloorMs } from './reconnect-decision.js';
import type { SymbolListing } from './symbol-listing.js';

/** Pairs of the second rank trade every few seconds; a minute of silence is no news. */
const SILENCE_MS = 120_000;
/** 30 a minute of weight 20 are a tenth of Binance's limit. */
const INTERVAL_MS = 2_000;
/** After no answer or one that cannot be read. */
const RETRY_MS = 60_000;
const TIMEOUT_MS = 10_000;
/** One symbol's entry is about 3 kB. */
const BODY_BYTES_MAX = 256 * 1024;

export interface SilentSymbolsOwner {
  /** Whether a trade of the instrument at `index` has come in since the start. */
  hasTraded(index: number): boolean;
  onUnlisted(index: number, why: string): void;
}

export class SilentSymbols {
  readonly #symbols: readonly string[];
  readonly #listing: SymbolListing;
  readonly #baseUrl: string;
  readonly #ports: FeedPorts;
  readonly #owner: SilentSymbolsOwner;
  readonly #answered = new Set<number>();
  #notBeforeMs: number;
  #isBusy = false;

  constructor(
    nativeSymbols: readonly string[],
    listing: SymbolListing,
    baseUrl: string,
    ports: FeedPorts,
    owner: SilentSymbolsOwner,
  ) {
    this.#symbols = nativeSymbols;
    this.#listing = listing;
    this.#baseUrl = baseUrl.replace(/\/+$/, '');
    this.#ports = ports;
    this.#owner = owner;
    this.#notBeforeMs = ports.clock.monotonicMs() + SILENCE_MS;
  }

  /** Called every second or so while connections are live. */
  tick(): void {
    if (this.#isBusy || this.#ports.clock.monotonicMs() < this.#notBeforeMs) return;
    const silent = this.#symbols.findIndex(
      (_, index) => !this.#answered.has(index) && !this.#owner.hasTraded(index),
    );
    if (silent === -1) return;
    this.#isBusy = true;
    void this.#lookUp(silent).then((waitMs) => {
      this.#isBusy = false;
      this.#notBeforeMs = this.#ports.clock.monotonicMs() + waitMs;
    });
  }

  /** Looks one symbol up; answers how long to wait before the next request. */
  async #lookUp(index: number): Promise<number> {
    const url = this.#listing.url(this.#baseUrl, this.#symbols[index] as string);
    const options = { timeoutMs: TIMEOUT_MS, bodyBytesMax: BODY_BYTES_MAX };
    try {
      const { status, headers, body } = await this.#ports.httpGet(url, {}, options);
      if (status === 429 || status === 418) {
        return statusFloorMs(status, headers['retry-after'], this.#ports.clock.nowUs());
      }
      const why = this.#listing.read(JSON.parse(new TextDecoder().decode(body)));
      this.#answered.add(index);
      if (why !== undefined) this.#owner.onUnlisted(index, why);
      return INTERVAL_MS;
    } catch {
      return RETRY_MS; // no whole answer, or not one of this API: nothing was learned
    }
  }
}
