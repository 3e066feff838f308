/**
 * Frames that come after the fact: recordings and rows of files that fill gaps, spelled as no
 * exchange spells them (any key order, white space, escapes, exponents), and replayed dead letters.
 */
import type { Exchange } from '#schemas/exchange';
import type { Feed } from '#src/simulator/frame-format';
import type { Journal, JournalTrade } from '#src/simulator/journal';
import type { Frame } from '#tests/pipeline/logs';
import { FRAME_KIND } from '#tests/support/oracle/frames';
import type { OracleDeadLetter } from '#tests/support/oracle/oracle';

/** Every second trade that no connection and no page has brought. */
export function* recordings(journal: Journal, feed: Feed, nowUs: number): Generator<Frame> {
  let missing = 0;
  for (const trade of journal.trades(feed)) {
    if (trade.sends > 0 || trade.served || missing++ % 2 === 1) continue;
    const csv = trade.exchange === 'BINANCE' && missing % 4 === 1;
    const text = csv ? csvRow(trade) : MESSAGE[trade.exchange](trade);
    yield {
      bytes: Buffer.from(text),
      kind: csv ? FRAME_KIND.csv : FRAME_KIND.import,
      connection: 0,
      receiveTimeUs: nowUs,
    };
  }
}

/** Dead letters as `bullion dlq replay` appends them: with their first receive time. */
export function* replays(letters: readonly OracleDeadLetter[]): Generator<Frame> {
  for (const { raw, receiveTimeUs } of letters) {
    yield { bytes: raw, kind: FRAME_KIND.replay, connection: 0, receiveTimeUs };
  }
}

/** Live frames as if read from a recording; pages stay what they are. */
export function* imported(frames: Iterable<Frame>): Generator<Frame> {
  for (const frame of frames) {
    yield frame.kind === FRAME_KIND.ws ? { ...frame, kind: FRAME_KIND.import } : frame;
  }
}

/** `12.5` as `1250E-2`. */
function withExponent(decimal: string): string {
  const [whole = '', fraction = ''] = decimal.split('.');
  const digits = `${whole}${fraction}00`.replace(/^0+(?=\d)/, '');
  return `${digits}E-${fraction.length + 2}`;
}

function isoTime(timeUs: number): string {
  const [date] = new Date(Math.floor(timeUs / 1000)).toISOString().split('.');
  return `${date}.${String(timeUs % 1_000_000).padStart(6, '0')}999Z`;
}

const MESSAGE: Readonly<Record<Exchange, (trade: JournalTrade) => string>> = {
  BINANCE: ({ id, firstId, lastId, nativeSymbol, timeUs, price, quantity, side }) => {
    const aggregate = lastId > firstId || id !== firstId;
    const ids = aggregate ? `"a":${id},"f":${firstId},"l":"${lastId}"` : `"t":"${id}"`;
    return (
      ` {"m" : ${side === 'SELL'},\n"q":${withExponent(quantity)},"\\u0073":"${nativeSymbol}",` +
      `"p":"${price}0","T":${timeUs},${ids},"e":"${aggregate ? 'aggTrade' : 'trade'}","x":{"y":[null]}} `
    );
  },
  KRAKEN: ({ id, nativeSymbol, timeUs, price, quantity, side }) =>
    `{"data":[{"symbol":"${nativeSymbol.replace('/', '\\/')}","trade_id":"${id}",` +
    `"price":"${withExponent(price)}","qty":${quantity},"timestamp":"${isoTime(timeUs)}",` +
    `"side":"${side.toLowerCase()}","ord_type":"iceberg"}],"type":"update","channel":"trade"}`,
  COINBASE: ({ id, nativeSymbol, timeUs, price, quantity, side }) =>
    `{"side":"${side === 'BUY' ? 'sell' : 'buy'}","product_id":"${nativeSymbol}",\t` +
    `"size":"${quantity}","price":${withExponent(price)},"trade_id":"00${id}",` +
    `"time":"${isoTime(timeUs)}","type":"match"}`,
};

/** Columns of a public file with two more in front. */
function csvRow({ id, nativeSymbol, timeUs, price, quantity, side }: JournalTrade): string {
  const maker = side === 'SELL' ? 'True' : 'False';
  return `${nativeSymbol} trades 2,4,3,5,6\n,x,${id},${quantity},${price},${timeUs},${maker}\r\n`;
}
