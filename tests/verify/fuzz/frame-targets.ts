/**
 * Frames of every exchange, as WebSocket messages, REST pages, csv rows and replayed dead letters:
 * the scanner, the general tokenizer and the oracle's JSON reader have to say the same.
 */
import fc from 'fast-check';
import { readCapture } from '#bench/captures';
import type { Exchange, ExchangeKey } from '#schemas/exchange';
import { BinanceFormat, type BinanceStreamKind } from '#src/exchanges/binance';
import { CoinbaseFormat } from '#src/exchanges/coinbase';
import { TAG_BYTES_MAX } from '#src/exchanges/csv';
import type { ExchangeFormat } from '#src/exchanges/exchange-format';
import { FrameParser } from '#src/exchanges/frame-parser';
import { JSON_DEPTH_MAX } from '#src/exchanges/json-tokenizer';
import { KrakenFormat } from '#src/exchanges/kraken';
import { FRAME_TRADES, ParsedTrades } from '#src/exchanges/parsed-trades';
import { SymbolTable } from '#src/exchanges/symbol-table';
import {
  binanceEvent,
  coinbaseMatch,
  combined,
  fixed,
  instrumentsOf,
  krakenMessage,
  rfc3339,
  type TradeModel,
  tradeOf,
} from '#tests/exchanges/frames';
import { type GoodRow, sameVerdict, type Verdict, verdict } from '#tests/exchanges/rows';
import { CSV_TAG } from '#tests/support/oracle/csv';
import { FRAME_KIND, readFrame } from '#tests/support/oracle/frames';
import type { Reading } from '#tests/support/oracle/record';
import type { FrameReading, Venue } from '#tests/support/oracle/venue';
import { mutatedText } from '#tests/verify/fuzz/mutation';
import { FuzzFailure, type FuzzTarget } from '#tests/verify/fuzz/target';

interface Feed {
  readonly name: string;
  readonly exchange: Exchange;
  readonly kind: number;
  readonly corpus: readonly string[];
  readonly stream?: BinanceStreamKind;
}

const CONTEXT = '{"e":"trade","E":1';

function sampled(exchange: Exchange, stepUs: number): TradeModel[] {
  return fc.sample(tradeOf(exchange, stepUs), { numRuns: 120, seed: 1 });
}

function advanced(trades: readonly TradeModel[]): string {
  const rows = trades.map(
    (trade) =>
      `{"product_id":"${trade.instrument.nativeSymbol}","trade_id":"${trade.id}","price":"${fixed(trade.price)}","size":"${fixed(trade.quantity)}","time":"${rfc3339(trade.timeUs)}","side":"${trade.side === 0 ? 'BUY' : 'SELL'}"}`,
  );
  return `{"channel":"market_trades","client_id":"","timestamp":"2026-07-07T22:58:16.156605Z","sequence_num":7,"events":[{"type":"update","trades":[${rows.join(',')}]}]}`;
}

function pairs<T>(items: readonly T[], make: (some: readonly T[]) => string): string[] {
  return items.map((item, i) => make([item, items[(i + 1) % items.length] as T]));
}

const CONTROL_TEXTS = [
  '{"result":null,"id":1}',
  '{"error":{"code":2,"msg":"Invalid request"},"id":1}',
  '{"method":"subscribe","result":{"channel":"trade","symbol":"BTC/USD"},"success":true}',
  '{"channel":"heartbeat"}',
  '{"type":"heartbeat","last_trade_id":1,"product_id":"BTC-USD","sequence":90,"time":"2026-07-07T22:58:16.156605Z"}',
  '{"type":"subscriptions","channels":[{"name":"matches","product_ids":["BTC-USD"]}]}',
  'CloudFlare WebSocket proxy restarting',
];

function csvRow(trade: TradeModel): string {
  const time = Math.floor(trade.timeUs / 1000);
  return `${trade.instrument.nativeSymbol} trades 0,1,2,4,5\n${trade.id},${fixed(trade.price)},${fixed(trade.quantity)},1.5,${time},${trade.side === 1},True`;
}

function feeds(): Feed[] {
  const binance = sampled('BINANCE', 1000);
  const kraken = sampled('KRAKEN', 1);
  const coinbase = sampled('COINBASE', 1);
  const captured = (exchange: ExchangeKey): string[] =>
    (readCapture(exchange) ?? []).filter((line) => line.length < 2_000).slice(0, 400);
  const event = (aggregate: boolean) => (trade: TradeModel, i: number) => {
    const text = binanceEvent(trade, aggregate, i % 2 === 0);
    return i % 3 === 0 ? combined(trade, text) : text;
  };
  const ws = FRAME_KIND.ws;
  const binanceRows = binance.map(
    (t) =>
      `{"id":${t.id},"price":"${fixed(t.price)}","qty":"${fixed(t.quantity)}","quoteQty":"1.0","time":${t.timeUs},"isBuyerMaker":${t.side === 1},"isBestMatch":true}`,
  );
  const krakenRows = kraken.map(
    (t) =>
      `["${fixed(t.price)}","${fixed(t.quantity)}",${Math.floor(t.timeUs / 1e6)}.${String(t.timeUs % 1e6).padStart(6, '0')}1,"${t.side === 0 ? 'b' : 's'}","l","",${t.id}]`,
  );
  const coinbaseRows = coinbase.map(
    (t) =>
      `{"trade_id":${t.id},"side":"${t.side === 0 ? 'sell' : 'buy'}","size":"${fixed(t.quantity)}","price":"${fixed(t.price)}","time":"${rfc3339(t.timeUs)}"}`,
  );
  return [
    {
      name: 'frames of Binance trade',
      exchange: 'BINANCE',
      kind: ws,
      corpus: [...binance.map(event(false)), ...captured('binance'), ...CONTROL_TEXTS],
    },
    {
      name: 'frames of Binance aggTrade',
      exchange: 'BINANCE',
      kind: ws,
      stream: 'aggTrade',
      corpus: [...binance.map(event(true)), ...CONTROL_TEXTS],
    },
    {
      name: 'frames of Kraken',
      exchange: 'KRAKEN',
      kind: ws,
      corpus: [
        ...pairs(kraken, (some) => krakenMessage(some, false)),
        ...captured('kraken'),
        ...CONTROL_TEXTS,
      ],
    },
    {
      name: 'frames of Coinbase',
      exchange: 'COINBASE',
      kind: ws,
      corpus: [
        ...coinbase.map((trade, i) => coinbaseMatch(trade, i % 9 === 0)),
        ...captured('coinbase'),
        ...CONTROL_TEXTS,
      ],
    },
    {
      name: 'frames of Coinbase Advanced',
      exchange: 'COINBASE',
      kind: ws,
      corpus: [...pairs(coinbase, advanced), ...CONTROL_TEXTS],
    },
    {
      name: 'REST pages of Binance',
      exchange: 'BINANCE',
      kind: FRAME_KIND.rest,
      corpus: pairs(binanceRows, (rows) => `BTCUSDT\n[${rows.join(',')}]`),
    },
    {
      name: 'REST pages of Kraken',
      exchange: 'KRAKEN',
      kind: FRAME_KIND.rest,
      corpus: pairs(
        krakenRows,
        (rows) =>
          `BTC/USD\n{"error":[],"result":{"XXBTZUSD":[${rows.join(',')}],"last":"1688669597827736900"}}`,
      ),
    },
    {
      name: 'REST pages of Coinbase',
      exchange: 'COINBASE',
      kind: FRAME_KIND.rest,
      corpus: pairs(coinbaseRows, (rows) => `BTC-USD\n[${rows.join(',')}]`),
    },
    {
      name: 'csv rows',
      exchange: 'BINANCE',
      kind: FRAME_KIND.csv,
      corpus: binance.map(csvRow),
    },
    {
      name: 'replayed frames',
      exchange: 'BINANCE',
      kind: FRAME_KIND.replay,
      corpus: [
        ...binance.map(event(false)),
        ...binance.map(csvRow),
        ...pairs(binanceRows, (rows) => `BTCUSDT\n[${rows.join(',')}]`),
      ],
    },
  ];
}

function formatOf({ exchange, stream = 'trade' }: Feed, symbols: SymbolTable): ExchangeFormat {
  if (exchange === 'BINANCE') return new BinanceFormat(symbols, stream);
  return exchange === 'KRAKEN' ? new KrakenFormat(symbols) : new CoinbaseFormat(symbols);
}

/** How deep brackets are nested, outside of strings. */
function depthOf(text: string): number {
  let depth = 0;
  let deepest = 0;
  let isText = false;
  for (let i = 0; i < text.length; i++) {
    const letter = text[i];
    if (isText && letter === '\\') i++;
    else if (letter === '"') isText = !isText;
    else if (isText) continue;
    else if (letter === '[' || letter === '{') deepest = Math.max(deepest, ++depth);
    else if (letter === ']' || letter === '}') depth--;
  }
  return deepest;
}

/** Equal in what of a row the oracle can say as well. */
function sameReading(row: GoodRow | string, reading: Reading | undefined): boolean {
  if (reading === undefined) return false;
  if (typeof row === 'string') return row === reading.reason;
  return (
    reading.reason === undefined &&
    row.tradeId === reading.id &&
    row.timeUs === reading.timeUs &&
    row.price === reading.price &&
    row.quantity === reading.quantity &&
    row.side === (reading.side === 'BUY' ? 0 : 1)
  );
}

function sameAsOracle(said: Verdict, oracle: FrameReading): boolean {
  if ('control' in oracle) return said.class === 'control';
  if ('dead' in oracle) return said.class === 'dead' && said.reason === oracle.dead;
  return (
    said.class === 'trades' &&
    said.rows.length === oracle.records.length &&
    said.rows.every((row, i) => sameReading(row, oracle.records[i]))
  );
}

function target(feed: Feed): FuzzTarget {
  const instruments = instrumentsOf(feed.exchange);
  const symbols = new SymbolTable(instruments);
  const format = formatOf(feed, symbols);
  const stream = feed.stream ?? 'trade';
  const parser = new FrameParser(format, symbols, stream === 'aggTrade' ? 'aggTrades' : 'trades');
  const venue: Venue = {
    exchange: feed.exchange,
    known: new Set(instruments.map(({ nativeSymbol }) => nativeSymbol)),
    aggregates: stream === 'aggTrade',
  };
  const isMessage = feed.kind === FRAME_KIND.ws || feed.kind === FRAME_KIND.replay;
  const scanned = new ParsedTrades();
  return {
    name: feed.name,
    run(random) {
      const text = mutatedText(feed.corpus, random);
      // Other frames stand around a frame in memory: what lies behind its end is none of it.
      const bytes = Buffer.from(`${CONTEXT}${text}}}${text}`, 'latin1');
      const start = CONTEXT.length;
      const end = start + text.length;
      const general = verdict(parser.parseGenerally(bytes, start, end, feed.kind), parser.parsed);
      if (isMessage) {
        const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
        scanned.count = 0;
        if (format.scan(bytes, view, start, end, 0, scanned)) {
          const fast = verdict(FRAME_TRADES, scanned);
          if (!sameVerdict(fast, general)) {
            throw new FuzzFailure('the scanner and the tokenizer disagree', text);
          }
        }
      }
      const whole = verdict(parser.parse(bytes, start, end, feed.kind), parser.parsed);
      if (!sameVerdict(whole, general)) {
        throw new FuzzFailure('parse and parseGenerally disagree', text);
      }
      // The parsers' own limits, which the oracle does not have.
      const tagEnd = text.indexOf('\n');
      const body = tagEnd < 0 ? '' : text.slice(tagEnd + 1); // a quote in a tag opens no text
      if (Math.max(depthOf(text), depthOf(body)) > JSON_DEPTH_MAX) return 'too deep';
      if (tagEnd >= TAG_BYTES_MAX && CSV_TAG.test(text)) return 'tag too long';
      const oracle = readFrame(venue, bytes.subarray(start, end), feed.kind);
      if (!sameAsOracle(general, oracle)) {
        const shown = (value: unknown): string =>
          JSON.stringify(value, (_, v: unknown) => (typeof v === 'bigint' ? String(v) : v));
        throw new FuzzFailure(
          `the tokenizer says ${shown(general)} and the oracle ${shown(oracle)}`.slice(0, 900),
          text,
        );
      }
      return general.class === 'trades' && general.rows.every((row) => typeof row === 'string')
        ? 'only dead letters'
        : general.class;
    },
  };
}

export function frameTargets(): FuzzTarget[] {
  return feeds().map(target);
}
