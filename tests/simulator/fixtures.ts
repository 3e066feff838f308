/** What the simulator's tests share: a small market, time moved by hand, and a plain client. */
import assert from 'node:assert/strict';
import { WebSocket } from 'ws';
import type { Exchange } from '#schemas/exchange';
import type { Clock } from '#src/base/clock';
import { type Feed, FIELD_KEYS } from '#src/simulator/frame-format';
import { type SimulatedInstrument, simulatedInstrument } from '#src/simulator/instrument';
import type { Timers } from '#src/simulator/timers';

const PAIRS: Readonly<Record<Exchange, readonly (readonly [string, string, string])[]>> = {
  BINANCE: [
    ['BTCUSDT', 'BTC', 'USDT'],
    ['ETHUSDT', 'ETH', 'USDT'],
    ['DOGEUSDT', 'DOGE', 'USDT'],
  ],
  KRAKEN: [
    ['BTC/USD', 'BTC', 'USD'],
    ['ETH/USD', 'ETH', 'USD'],
    ['SOL/USD', 'SOL', 'USD'],
  ],
  COINBASE: [
    ['BTC-USD', 'BTC', 'USD'],
    ['ETH-USD', 'ETH', 'USD'],
    ['SHIB-USD', 'SHIB', 'USD'],
  ],
};

export const INSTRUMENTS: readonly SimulatedInstrument[] = Object.entries(PAIRS).flatMap(
  ([exchange, pairs]) =>
    pairs.map(([nativeSymbol, baseAsset, quoteAsset]) =>
      simulatedInstrument({
        exchange: exchange as Exchange,
        nativeSymbol,
        symbol: `${baseAsset}${quoteAsset}`,
        baseAsset,
        quoteAsset,
      }),
    ),
);

export function symbolsOf(exchange: Exchange): string[] {
  return PAIRS[exchange].map(([nativeSymbol]) => nativeSymbol);
}

/** 2026-07-07T22:58:00Z. */
export const START_US = 1_783_465_080_000_000;

/** A clock and timers that move only when told to. */
export class ManualTime implements Clock, Timers {
  #nowMs = 0;
  #runs: { atMs: number; run: () => void }[] = [];

  nowUs(): number {
    return START_US + Math.floor(this.#nowMs * 1000);
  }

  monotonicMs(): number {
    return this.#nowMs;
  }

  after(ms: number, run: () => void): () => void {
    const timer = { atMs: this.#nowMs + ms, run };
    this.#runs.push(timer);
    return () => {
      this.#runs = this.#runs.filter((other) => other !== timer);
    };
  }

  soon(run: () => void): () => void {
    return this.after(0, run);
  }

  /** Time passes; every timer due by then runs at its own time. */
  advance(ms: number): void {
    const endMs = this.#nowMs + ms;
    for (;;) {
      const nextMs = Math.min(...this.#runs.map((timer) => timer.atMs));
      if (nextMs > endMs) break;
      this.#nowMs = Math.max(this.#nowMs, nextMs);
      const due = this.#runs.filter((timer) => timer.atMs <= this.#nowMs);
      this.#runs = this.#runs.filter((timer) => timer.atMs > this.#nowMs);
      for (const timer of due) timer.run();
    }
    this.#nowMs = endMs;
  }
}

/** A plain WebSocket client that keeps every message. */
export class Client {
  readonly ws: WebSocket;
  readonly messages: Buffer[] = [];
  readonly pings: string[] = [];
  closeCode: number | undefined;
  #waiters: (() => void)[] = [];

  private constructor(url: string, options: { autoPong?: boolean; maxPayload?: number }) {
    this.ws = new WebSocket(url, {
      perMessageDeflate: false,
      skipUTF8Validation: true,
      ...options,
    });
    this.ws.on('message', (data: Buffer) => {
      this.messages.push(data);
      this.#wake();
    });
    this.ws.on('ping', (data: Buffer) => {
      this.pings.push(data.toString());
      this.#wake();
    });
    this.ws.on('close', (code) => {
      this.closeCode = code;
      this.#wake();
    });
    this.ws.on('error', () => this.#wake());
  }

  static async open(
    url: string,
    options: { autoPong?: boolean; maxPayload?: number } = {},
  ): Promise<Client> {
    const client = new Client(url, options);
    await client.until(() => client.ws.readyState !== WebSocket.CONNECTING, 'the connection');
    assert.equal(client.ws.readyState, WebSocket.OPEN, `${url} did not open`);
    return client;
  }

  #wake(): void {
    for (const waiter of this.#waiters.splice(0)) waiter();
  }

  send(request: unknown): void {
    this.ws.send(typeof request === 'string' ? request : JSON.stringify(request));
  }

  /** Waits until something that arrives makes the condition true. */
  async until(condition: () => boolean, what: string): Promise<void> {
    const deadline = Date.now() + 8000;
    while (!condition()) {
      assert.ok(Date.now() < deadline, `timed out waiting for ${what}; got ${this.tail()}`);
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, 20);
        this.#waiters.push(() => {
          clearTimeout(timer);
          resolve();
        });
      });
    }
  }

  /** Waits for `count` messages in all and gives the text of the newest of them. */
  async text(count: number): Promise<string> {
    await this.until(() => this.messages.length >= count, `message ${count}`);
    return this.messages[count - 1]!.toString();
  }

  async closed(): Promise<number> {
    await this.until(() => this.closeCode !== undefined, 'the close');
    return this.closeCode!;
  }

  tail(): string {
    return this.messages
      .slice(-3)
      .map((message) => message.toString().slice(0, 300))
      .join('\n');
  }
}

/** One trade as an independent reader sees it; decimals still text, from the raw bytes. */
export interface ReadTrade {
  readonly symbol: string;
  readonly id: number;
  readonly timeUs: number;
  readonly price: string;
  readonly quantity: string;
  readonly side: 'BUY' | 'SELL';
}

/** JSON numbers become strings first, so that no digit of a Kraken price is lost. */
function parseExactly(text: string): unknown {
  return JSON.parse(text.replace(/"(price|qty)":(-?[\d.]+)/g, '"$1":"$2"'));
}

/** NaN for what is no time: faulty records are read too. */
function isoUs(time: unknown): number {
  const text = String(time);
  return (
    Date.parse(`${text.slice(0, 19)}Z`) * 1000 + Number(`${text.slice(20, -1)}000000`.slice(0, 6))
  );
}

/** The trades of any feed's message, by JSON.parse; undefined when it is no JSON. */
export function readTrades(text: string): ReadTrade[] | undefined {
  let message: Record<string, unknown>;
  try {
    message = parseExactly(text) as Record<string, unknown>;
  } catch {
    return undefined;
  }
  if (typeof message !== 'object' || message === null) return [];
  const event = (message.data ?? message) as Record<string, never>;
  if (event.e === 'trade' || event.e === 'aggTrade') {
    const timeUs = String(event.T).length === 13 ? event.T * 1000 : event.T;
    const side = event.m ? 'SELL' : 'BUY';
    const id = event.e === 'trade' ? event.t : event.a;
    return [{ symbol: event.s, id, timeUs, price: event.p, quantity: event.q, side }];
  }
  if (message.channel === 'trade') {
    return (message.data as Record<string, string>[]).map((trade) => ({
      symbol: trade.symbol!,
      id: Number(trade.trade_id),
      timeUs: isoUs(trade.timestamp),
      price: trade.price!,
      quantity: trade.qty!,
      side: trade.side === 'sell' ? 'SELL' : 'BUY',
    }));
  }
  const coinbase = (trade: Record<string, string>, maker: unknown): ReadTrade => ({
    symbol: trade.product_id!,
    id: Number(trade.trade_id),
    timeUs: isoUs(trade.time),
    price: trade.price!,
    quantity: trade.size!,
    side: String(maker).toLowerCase() === 'sell' ? 'BUY' : 'SELL',
  });
  if (message.type === 'match' || message.type === 'last_match') {
    return [coinbase(message as Record<string, string>, message.side)];
  }
  if (message.channel === 'market_trades') {
    return (message.events as { trades: Record<string, string>[] }[]).flatMap((one) =>
      one.trades.map((trade) => coinbase(trade, trade.side)),
    );
  }
  return [];
}

/** The fields of one record as they stand in the message, under common names. */
export function rawFields(feed: Feed, text: string, index: number): Record<string, unknown> {
  const message = parseExactly(text) as Record<string, never>;
  const events = message.events as { trades: unknown[] }[] | undefined;
  const list = feed === 'kraken' ? (message.data as unknown[]) : events?.[0]?.trades;
  const record = (list === undefined ? (message.data ?? message) : list[index]) as never;
  const keys = FIELD_KEYS[feed];
  return Object.fromEntries(Object.entries(keys).map(([name, key]) => [name, record[key]]));
}

/** The number a decimal text stands for, scaled by 10^8: equal values compare equal. */
export function scaled(text: string): bigint {
  const [whole, fraction = ''] = text.split('.') as [string, string?];
  return BigInt(whole) * 100_000_000n + BigInt(fraction.padEnd(8, '0'));
}
