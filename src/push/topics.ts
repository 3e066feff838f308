/**
 * Topics: what can be subscribed to. A topic knows how far it has told the world, and says what is
 * new since then, for all its subscribers at once.
 *
 * Both read shared memory without waiting. Candles are told by their latest state: however often one
 * changed between two looks, it is told once. Trades are told one by one, up to TRADES_MAX a look.
 */
import type { Instrument } from '#schemas/instrument';
import { TIMEFRAMES, type Timeframe } from '#schemas/timeframe';
import { SIDES } from '#schemas/trade';
import { formatDecimal } from '#src/base/decimal';
import { loadInt64 } from '#src/base/int64';
import type { LiveCandlesReader } from '#src/candles/live-candles';
import { CANDLE_BYTES, CANDLE_WORDS } from '#src/candles/record';
import { type CandleRow, candleRow } from '#src/output/candle-row';
import { isoMicros } from '#src/output/text';
import { EncodedMessage } from '#src/push/encoded-message';
import {
  type CandlesMessage,
  TRADES_MAX,
  type TradesMessage,
  type TradeUpdate,
} from '#src/push/messages';
import { LIVE_TRADE, LIVE_TRADE_WORDS, type LiveTradesReader } from '#src/trades/live-trades';

/** Where the topics read. */
export interface StreamSources {
  readonly live: LiveCandlesReader;
  readonly liveTrades: LiveTradesReader;
  /** The newest candles, committed and live as one, oldest first. */
  newest(timeframe: Timeframe, instrument: Instrument, limit: number): readonly CandleRow[];
}

export interface Topic {
  /** What is new since the last call; undefined when nothing is. */
  update(): EncodedMessage | undefined;
  /** How things stand, up to what `update` has told. Call `update` first. */
  snapshot(limit: number): EncodedMessage;
}

export class CandleTopic implements Topic {
  readonly #sources: StreamSources;
  readonly #instrument: Instrument;
  readonly #timeframe: Timeframe;
  readonly #index: number;
  /** Publications of the series at the last look, and what each slot held. */
  #publications: number;
  readonly #seen: Int32Array;
  readonly #into: Int32Array;

  constructor(sources: StreamSources, instrument: Instrument, timeframe: Timeframe) {
    const { live } = sources;
    this.#sources = sources;
    this.#instrument = instrument;
    this.#timeframe = timeframe;
    this.#index = TIMEFRAMES.indexOf(timeframe);
    this.#seen = new Int32Array(live.ringSize);
    this.#into = new Int32Array(live.ringSize * CANDLE_WORDS);
    this.#publications = live.publications(instrument.code, this.#index);
    live.changed(instrument.code, this.#index, this.#seen, this.#into);
  }

  update(): EncodedMessage | undefined {
    const { live } = this.#sources;
    const { code } = this.#instrument;
    const publications = live.publications(code, this.#index);
    if (publications === this.#publications) return undefined;
    this.#publications = publications;
    const count = live.changed(code, this.#index, this.#seen, this.#into);
    if (count === 0) return undefined;
    const rows: CandleRow[] = [];
    for (let i = 0; i < count; i++) {
      const record = new Uint8Array(this.#into.buffer, i * CANDLE_BYTES, CANDLE_BYTES);
      rows.push(candleRow(record, this.#instrument));
    }
    return this.#message('update', rows);
  }

  snapshot(limit: number): EncodedMessage {
    const rows = limit === 0 ? [] : this.#sources.newest(this.#timeframe, this.#instrument, limit);
    return this.#message('snapshot', rows);
  }

  #message(type: CandlesMessage['type'], candles: readonly CandleRow[]): EncodedMessage {
    const { exchange, symbol } = this.#instrument;
    const timeframe = this.#timeframe;
    const message = { type, channel: 'candles', exchange, symbol, timeframe, candles } as const;
    return new EncodedMessage(message as CandlesMessage);
  }
}

export class TradeTopic implements Topic {
  readonly #trades: LiveTradesReader;
  readonly #instrument: Instrument;
  /** Number of the first trade that has not been told. */
  #next: number;
  readonly #into = new Int32Array(TRADES_MAX * LIVE_TRADE_WORDS);

  constructor({ liveTrades }: StreamSources, instrument: Instrument) {
    this.#trades = liveTrades;
    this.#instrument = instrument;
    this.#next = liveTrades.count(instrument.code);
  }

  update(): EncodedMessage | undefined {
    const count = this.#trades.count(this.#instrument.code);
    const fresh = count - this.#next;
    if (fresh === 0) return undefined;
    const rows = this.#rows(Math.max(this.#next, count - TRADES_MAX), count);
    this.#next = count;
    return this.#message('update', fresh - rows.length, rows);
  }

  snapshot(limit: number): EncodedMessage {
    const from = Math.max(0, this.#next - Math.min(limit, TRADES_MAX));
    return this.#message('snapshot', 0, this.#rows(from, this.#next));
  }

  #rows(from: number, to: number): TradeUpdate[] {
    const { code, exchange } = this.#instrument;
    const words = this.#into;
    const count = this.#trades.range(code, from, to, words);
    const rows: TradeUpdate[] = [];
    for (let i = 0; i < count; i++) {
      const at = i * LIVE_TRADE_WORDS;
      const pair = (field: number): number => (at + field) / 2;
      rows.push({
        trade_id: `${exchange}-${loadInt64(words, pair(LIVE_TRADE.tradeId))}`,
        timestamp: isoMicros(loadInt64(words, pair(LIVE_TRADE.time))),
        price: formatDecimal(words, pair(LIVE_TRADE.price)),
        quantity: formatDecimal(words, pair(LIVE_TRADE.quantity)),
        side: SIDES[words[at + LIVE_TRADE.sideAndCondition] & 0xff],
        ingestion_timestamp: isoMicros(loadInt64(words, pair(LIVE_TRADE.receiveTime))),
      });
    }
    return rows;
  }

  #message(
    type: TradesMessage['type'],
    skipped: number,
    trades: readonly TradeUpdate[],
  ): EncodedMessage {
    const { exchange, symbol } = this.#instrument;
    const next = this.#next;
    const message = { type, channel: 'trades', exchange, symbol, next, skipped, trades } as const;
    return new EncodedMessage(message as TradesMessage);
  }
}
