/**
 * Parsing and validating WebSocket trade frames on one thread: per exchange through the scanner,
 * through the general tokenizer alone, and JSON.parse of the same bytes (which yields no trade yet).
 * With the recorded frames of the three exchanges, where they are at hand.
 *
 * The frames lie back to back in one buffer, as in a block of the log.
 */
import { type Exchange, exchangeKey } from '#schemas/exchange';
import type { Instrument } from '#schemas/instrument';
import { createFrameParser } from '#src/exchanges/frame-parsers';
import { FRAME_TRADES } from '#src/exchanges/parsed-trades';
import { KIND_WS } from '#src/log/frame';
import { Validator } from '#src/trades/validator';
import {
  type BenchContext,
  type Benchmark,
  check,
  type Figure,
  type Outcome,
} from './benchmark.js';
import { readCapture } from './captures.js';
import { leastCpuMs } from './stopwatch.js';

const FRAMES = 4_096;
const TIME_MS = 1_783_465_157_897;
const ORDER = '15bc13f2-e38c-4693-8c0b-e8c6152b9c1d';

/** Trade i of a feed: values change, so that digits do not sit in the branch predictor. */
interface Feed {
  readonly name: string;
  readonly exchange: Exchange;
  readonly symbols: readonly string[];
  readonly frame: (i: number, symbol: string, price: string, quantity: string) => string;
}

function event(i: number, symbol: string, price: string, quantity: string): string {
  const timeMs = TIME_MS + i;
  return (
    `{"e":"trade","E":${timeMs + 1},"s":"${symbol}","t":${6_486_989_273 + i},` +
    `"p":"${price}","q":"${quantity}","T":${timeMs},"m":${i % 3 === 0},"M":true}`
  );
}

function time(i: number): string {
  return `${new Date(TIME_MS + i).toISOString().slice(0, -1)}${100 + (i % 900)}Z`;
}

const FEEDS: readonly Feed[] = [
  {
    name: 'Binance combined stream',
    exchange: 'BINANCE',
    symbols: ['BTCUSDT', 'ETHUSDT', 'TRXUSDT'],
    frame: (i, symbol, price, quantity) =>
      `{"stream":"${symbol.toLowerCase()}@trade","data":${event(i, symbol, price, quantity)}}`,
  },
  {
    name: 'Binance raw stream',
    exchange: 'BINANCE',
    symbols: ['BTCUSDT', 'ETHUSDT', 'TRXUSDT'],
    frame: event,
  },
  {
    name: 'Kraken',
    exchange: 'KRAKEN',
    symbols: ['BTC/USD', 'ETH/USD', 'SOL/USD'],
    frame: (i, symbol, price, quantity) =>
      `{"channel":"trade","type":"update","data":[{"symbol":"${symbol}",` +
      `"side":"${i % 3 === 0 ? 'sell' : 'buy'}","price":${price},"qty":${quantity},` +
      `"ord_type":"limit","trade_id":${64_175_815 + i},"timestamp":"${time(i)}"}]}`,
  },
  {
    name: 'Coinbase',
    exchange: 'COINBASE',
    symbols: ['BTC-USD', 'ETH-USD', 'SOL-USD'],
    frame: (i, symbol, price, quantity) =>
      `{"type":"match","trade_id":${1_052_119_289 + i},"maker_order_id":"${ORDER}",` +
      `"taker_order_id":"${ORDER}","side":"${i % 3 === 0 ? 'sell' : 'buy'}",` +
      `"size":"${quantity}","price":"${price}","product_id":"${symbol}",` +
      `"sequence":${132_235_026_010 + i},"time":"${time(i)}"}`,
  },
];

function instrumentsOf(exchange: Exchange, symbols: readonly string[]): Instrument[] {
  return symbols.map((nativeSymbol, code) => ({
    code,
    exchange,
    nativeSymbol,
    symbol: nativeSymbol.replace(/[-/]/, ''),
    baseAsset: nativeSymbol.slice(0, 3),
    quoteAsset: nativeSymbol.slice(3).replace(/[-/]/, ''),
  }));
}

function frames({ symbols, frame }: Feed): string[] {
  return Array.from({ length: FRAMES }, (_, i) => {
    const price = `${60_000 + ((i * 7_919) % 9_999)}.${10 + ((i * 31) % 90)}`;
    const quantity = `0.${String((i * 104_729) % 100_000_000).padStart(7, '0')}1`.slice(0, 10);
    return frame(i, symbols[i % symbols.length] as string, price, quantity);
  });
}

interface Measured {
  readonly figures: Figure[];
  readonly checksum: number;
}

/** `trades`: how many the frames hold, where that is known. */
function measure(
  name: string,
  exchange: Exchange,
  symbols: readonly string[],
  texts: readonly string[],
  { tiny }: BenchContext,
  trades?: number,
): Measured {
  const bytes = Buffer.from(texts.join(''));
  const ends: number[] = [];
  let length = 0;
  for (const text of texts) {
    length += Buffer.byteLength(text);
    ends.push(length);
  }
  const parser = createFrameParser(exchange, instrumentsOf(exchange, symbols), 'trade');
  const validator = new Validator(parser);
  const receiveTimeUs = (TIME_MS + FRAMES) * 1_000;
  const { parsed } = parser;
  const rounds = tiny ? 1 : 300;
  let checksum = 0;
  const rate = (read: (from: number, to: number) => number): number => {
    const cpuMs = leastCpuMs(tiny ? 1 : 5, () => {
      for (let round = 0; round < rounds; round++) {
        let from = 0;
        for (const to of ends) {
          checksum = (checksum + read(from, to)) % 1_000_000_007;
          from = to;
        }
      }
    });
    return (rounds * ends.length) / cpuMs / 1_000;
  };
  let found = 0;
  let from = 0;
  for (const to of ends) {
    const frameClass = validator.validate(bytes, from, to, KIND_WS, receiveTimeUs);
    if (frameClass === FRAME_TRADES) found += parsed.count;
    from = to;
  }
  check(trades === undefined ? found > 0 : found === trades, `${found} trades in ${name}`);

  const figures: Figure[] = [];
  const figure = (what: string, value: number): void => {
    figures.push({ name: `${name}, ${what}`, value, unit: 'M frames/s per core' });
  };
  figure(
    'validated',
    rate((start, end) => {
      validator.validate(bytes, start, end, KIND_WS, receiveTimeUs);
      return parsed.count === 0 ? 0 : parsed.count + (parsed.price[0] as number);
    }),
  );
  const general = checksum;
  checksum = 0;
  figure(
    'tokenizer only',
    rate((start, end) => {
      parser.parseGenerally(bytes, start, end, KIND_WS);
      return parsed.count === 0 ? 0 : parsed.count + (parsed.price[0] as number);
    }),
  );
  check(checksum === general, `scanner and tokenizer differ on ${name}`);
  figure(
    'JSON.parse',
    rate((start, end) => Object.keys(JSON.parse(bytes.toString('latin1', start, end))).length),
  );
  return { figures, checksum: general };
}

async function run(context: BenchContext): Promise<Outcome> {
  const measured = FEEDS.map((feed) => {
    context.say(feed.name);
    return measure(feed.name, feed.exchange, feed.symbols, frames(feed), context, FRAMES);
  });
  // Recordings stay out of the digest: not every machine has them.
  const figures = measured.flatMap((m) => m.figures);
  for (const { name, exchange, symbols } of FEEDS.filter(({ frame }) => frame !== event)) {
    const capture = readCapture(exchangeKey(exchange));
    if (capture === undefined) continue;
    const recorded = measure(`${name}, recorded`, exchange, symbols, capture, context);
    figures.push(...recorded.figures);
  }
  return { figures, digest: measured.map(({ checksum }) => checksum.toString(16)).join('-') };
}

export const scanner: Benchmark = {
  name: 'scanner',
  about: 'Frames to validated trades on one thread, per exchange.',
  run,
};
