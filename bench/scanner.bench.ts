/**
 * Parsing and validating WebSocket trade frames: frames per second of one thread, per exchange,
 * through the scanner, through the general tokenizer alone, and JSON.parse of the same bytes (which
 * yields no trade yet) to compare with.
 *
 *   node dist/bench/scanner.bench.js [rounds, default 300]
 *
 * The frames lie back to back in one buffer, as in a block of the log. The best of five passes is
 * reported: on a shared machine the others measure the neighbours. The last line is a checksum.
 */
import type { Exchange } from '#schemas/exchange';
import type { Instrument } from '#schemas/instrument';
import { createFrameParser } from '#src/exchanges/frame-parsers';
import { KIND_WS } from '#src/log/frame';
import { Validator } from '#src/trades/validator';

const FRAMES = 4096;
const PASSES = 5;
const rounds = Number(process.argv[2] ?? 300);

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
    name: 'Binance, combined stream',
    exchange: 'BINANCE',
    symbols: ['BTCUSDT', 'ETHUSDT', 'TRXUSDT'],
    frame: (i, symbol, price, quantity) =>
      `{"stream":"${symbol.toLowerCase()}@trade","data":${event(i, symbol, price, quantity)}}`,
  },
  {
    name: 'Binance, raw stream',
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

function instrumentsOf({ exchange, symbols }: Feed): Instrument[] {
  return symbols.map((nativeSymbol, code) => ({
    code,
    exchange,
    nativeSymbol,
    symbol: nativeSymbol.replace(/[-/]/, ''),
    baseAsset: nativeSymbol.slice(0, 3),
    quoteAsset: nativeSymbol.slice(3).replace(/[-/]/, ''),
  }));
}

let checksum = 0;

function measure(
  bytes: Buffer,
  ends: readonly number[],
  read: (from: number, to: number) => number,
) {
  let best = 0;
  for (let pass = 0; pass < PASSES; pass++) {
    const started = performance.now();
    for (let round = 0; round < rounds; round++) {
      let from = 0;
      for (const to of ends) {
        checksum = (checksum + read(from, to)) % 1_000_000_007;
        from = to;
      }
    }
    best = Math.max(best, (rounds * ends.length) / (performance.now() - started) / 1_000);
  }
  const bytesPerFrame = bytes.length / ends.length;
  return `${best.toFixed(2)} M frames/s  ${((best * bytesPerFrame) / 1_000).toFixed(2)} GB/s`;
}

for (const feed of FEEDS) {
  const ends: number[] = [];
  let text = '';
  for (let i = 0; i < FRAMES; i++) {
    const price = `${60_000 + ((i * 7919) % 9_999)}.${10 + ((i * 31) % 90)}`;
    const quantity = `0.${String((i * 104_729) % 100_000_000).padStart(7, '0')}1`.slice(0, 10);
    text += feed.frame(i, feed.symbols[i % feed.symbols.length], price, quantity);
    ends.push(text.length);
  }
  const bytes = Buffer.from(text);
  const parser = createFrameParser(feed.exchange, instrumentsOf(feed), 'trade');
  const validator = new Validator(parser);
  const receiveTimeUs = (TIME_MS + FRAMES) * 1000;
  const { parsed } = parser;
  const report = (what: string, read: (from: number, to: number) => number) =>
    console.log(`${feed.name.padEnd(26)} ${what.padEnd(12)} ${measure(bytes, ends, read)}`);

  console.log(`${feed.name}: ${(bytes.length / FRAMES).toFixed(0)} bytes a frame`);
  report('validate', (from, to) => {
    validator.validate(bytes, from, to, KIND_WS, receiveTimeUs);
    return parsed.count + parsed.price[0];
  });
  report('tokenizer', (from, to) => {
    parser.parseGenerally(bytes, from, to, KIND_WS);
    return parsed.count + parsed.price[0];
  });
  report(
    'JSON.parse',
    (from, to) => Object.keys(JSON.parse(bytes.toString('latin1', from, to))).length,
  );
}
console.log(`checksum ${checksum}`);
