/**
 * Where a scanner recognises a frame, the general tokenizer gives the same class and the same rows:
 * over generated frames and over frames with bytes, keys and values changed, with other frames (and
 * the cut-off rest of their own) standing around them in memory.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { CONDITION_IMPORTED } from '#schemas/trade';
import { BinanceFormat } from '#src/exchanges/binance';
import { CoinbaseFormat } from '#src/exchanges/coinbase';
import type { ExchangeFormat } from '#src/exchanges/exchange-format';
import { FrameParser } from '#src/exchanges/frame-parser';
import { KrakenFormat } from '#src/exchanges/kraken';
import { FRAME_TRADES, NO_REASON, ParsedTrades } from '#src/exchanges/parsed-trades';
import { SymbolTable } from '#src/exchanges/symbol-table';
import { KIND_IMPORT, KIND_WS } from '#src/log/frame';
import {
  binanceEvent,
  coinbaseMatch,
  combined,
  instrumentsOf,
  krakenMessage,
  tradeOf,
} from './frames.js';
import { verdict } from './rows.js';

/** Values that stand where others are expected. */
const STRANGE = [
  ...['null', 'true', 'false', '0', '-1', '1e400', '1e-8', '-0', '0.0', '01', '1.', '.5', '""'],
  ...['"0"', '"x"', '{}', '[]', '[1]', '{"p":1}', '9007199254740991', '9007199254740992'],
  ...['9999999999.99999999', '10000000000', '"0.000000001"', '"1.10000000000"', '1e1e1', 'nul'],
  ...['"\\u0031"', '"b\\/c"', '"\u00e9"', '1234567890123', '1234567890123456', '"sell"', '"buy"'],
  ...['"2026-02-30T00:00:00.000000Z"', '"2026-07-07T22:58:16Z"', '"2026-07-07T22:58:16.1234567Z"'],
];
const BYTES = '{}[]",:\\ \n0123456789.-+eEtTfnuxZ\u0000/'.split('').map((c) => c.charCodeAt(0));

/** A key and its value; a value alone. Good enough to find places worth changing. */
const MEMBER = /"[^"]*":(?:"[^"]*"|[-\d.eE+]+|true|false|null)/g;
const VALUE = /(?<=:)(?:"[^"]*"|[-\d.eE+]+|true|false|null)/g;

interface Edit {
  readonly what: number;
  readonly at: number;
  readonly pick: number;
}
const edit: fc.Arbitrary<Edit> = fc.record({ what: fc.nat(8), at: fc.nat(), pick: fc.nat() });

function choose(text: string, pattern: RegExp, n: number): { from: number; to: number } {
  const all = [...text.matchAll(pattern)];
  if (all.length === 0) return { from: 0, to: 0 };
  const match = all[n % all.length];
  return { from: match.index, to: match.index + match[0].length };
}

/** One change. Texts here are latin1: a character is a byte. */
function changed(text: string, { what, at, pick }: Edit): string {
  const place = at % (text.length + 1);
  const byte = String.fromCharCode(pick % 3 === 0 ? pick % 256 : BYTES[pick % BYTES.length]);
  const member = choose(text, MEMBER, at);
  const value = choose(text, VALUE, at);
  switch (what) {
    case 0:
      return text.slice(0, place) + byte + text.slice(place + 1);
    case 1:
      return text.slice(0, place) + byte + text.slice(place);
    case 2:
      return text.slice(0, place) + text.slice(place + 1);
    case 3: // white space where JSON allows it, and where not
      return text.slice(0, member.from) + ' \t\n\r'[pick % 4] + text.slice(member.from);
    case 4: // the member once more, at once
      return `${text.slice(0, member.to)},${text.slice(member.from)}`;
    case 5: {
      // two members change places
      const other = choose(text, MEMBER, pick);
      const [a, b] = member.from < other.from ? [member, other] : [other, member];
      if (a.to > b.from) return text;
      const middle = text.slice(a.to, b.from);
      return (
        text.slice(0, a.from) +
        text.slice(b.from, b.to) +
        middle +
        text.slice(a.from, a.to) +
        text.slice(b.to)
      );
    }
    case 6:
    case 7:
      return text.slice(0, value.from) + STRANGE[pick % STRANGE.length] + text.slice(value.to);
    default: // a digit more somewhere in a value
      return text.slice(0, value.from + 1) + (pick % 10) + text.slice(value.from + 1);
  }
}

interface Tally {
  frames: number;
  scanned: number;
}

function agree(
  format: ExchangeFormat,
  parser: FrameParser,
  text: string,
  cut: number,
  tally: Tally,
): void {
  const before = '{"e":"trade","E":1';
  const bytes = Buffer.from(`${before}${text}}}${text}`, 'latin1');
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const start = before.length;
  const end = start + Math.max(0, text.length - cut);
  const kind = tally.frames % 2 === 0 ? KIND_WS : KIND_IMPORT;
  const condition = kind === KIND_IMPORT ? CONDITION_IMPORTED : 0;

  tally.frames++;
  const rows = new ParsedTrades(1);
  if (!format.scan(bytes, view, start, end, condition, rows)) {
    const whole = verdict(parser.parse(bytes, start, end, kind), parser.parsed);
    const general = verdict(parser.parseGenerally(bytes, start, end, kind), parser.parsed);
    assert.deepEqual(whole, general, text);
    return;
  }
  tally.scanned++;
  assert.ok(rows.count > 0 && rows.reason.subarray(0, rows.count).every((r) => r === NO_REASON));
  const scanned = verdict(FRAME_TRADES, rows);
  const general = parser.parseGenerally(bytes, start, end, kind);
  assert.deepEqual(scanned, verdict(general, parser.parsed), text);
}

function checkAgreement(
  format: ExchangeFormat,
  parser: FrameParser,
  frames: fc.Arbitrary<string>,
  numRuns: number,
): void {
  const tally: Tally = { frames: 0, scanned: 0 };
  const edits = fc.array(fc.array(edit, { minLength: 1, maxLength: 2 }), {
    minLength: 8,
    maxLength: 8,
  });
  fc.assert(
    fc.property(frames, edits, fc.nat(300), (frame, variants, cut) => {
      const before = tally.scanned;
      agree(format, parser, frame, 0, tally);
      assert.equal(tally.scanned, before + 1, `the scanner does not know ${frame}`);
      agree(format, parser, frame, 1 + cut, tally);
      for (const variant of variants) {
        agree(format, parser, variant.reduce(changed, frame), 0, tally);
      }
    }),
    { numRuns },
  );
  const mutatedAndScanned = tally.scanned - numRuns;
  assert.ok(tally.frames === numRuns * 10, `${tally.frames} frames`);
  assert.ok(mutatedAndScanned > numRuns / 10, `only ${mutatedAndScanned} changed frames scanned`);
}

/** Numbers that scanners leave to the tokenizer: ten whole digits. */
function isCommon(price: bigint, quantity: bigint): boolean {
  return price < 10n ** 17n && quantity < 10n ** 17n;
}

for (const kind of ['trade', 'aggTrade'] as const) {
  test(`Binance ${kind}: scanner and tokenizer agree`, () => {
    const symbols = new SymbolTable(instrumentsOf('BINANCE'));
    const format = new BinanceFormat(symbols, kind);
    const parser = new FrameParser(format, symbols, 'trades');
    const frames = fc
      .tuple(tradeOf('BINANCE', 1000), fc.boolean(), fc.boolean())
      .filter(([trade]) => isCommon(trade.price, trade.quantity))
      .map(([trade, microseconds, wrapped]) => {
        const event = binanceEvent(trade, kind === 'aggTrade', microseconds);
        return wrapped ? combined(trade, event) : event;
      });
    checkAgreement(format, parser, frames, 1500);
  });
}

test('Kraken: scanner and tokenizer agree', () => {
  const symbols = new SymbolTable(instrumentsOf('KRAKEN'));
  const format = new KrakenFormat(symbols);
  const parser = new FrameParser(format, symbols, 'trades');
  const trade = tradeOf('KRAKEN', 1).filter((each) => isCommon(each.price, each.quantity));
  const frames = fc
    .tuple(fc.array(trade, { minLength: 1, maxLength: 4 }), fc.boolean())
    .map(([trades, snapshot]) => krakenMessage(trades, snapshot));
  checkAgreement(format, parser, frames, 2000);
});

test('Coinbase: scanner and tokenizer agree', () => {
  const symbols = new SymbolTable(instrumentsOf('COINBASE'));
  const format = new CoinbaseFormat(symbols);
  const parser = new FrameParser(format, symbols, 'trades');
  const frames = fc
    .tuple(tradeOf('COINBASE', 1), fc.boolean())
    .filter(([trade]) => isCommon(trade.price, trade.quantity))
    .map(([trade, last]) => coinbaseMatch(trade, last));
  checkAgreement(format, parser, frames, 2000);
});
