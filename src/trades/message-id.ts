/**
 * message_id: a UUIDv8 that is a pure function of (exchange, symbol, trade id), so the same trade
 * has the same id in every table, on every machine, after every replay.
 *
 *   pppppppp-pppp-8ppp-8iii-iiiiiiiiiiii
 *
 * p: the first 60 bits of sha-256("<EXCHANGE>|<symbol>") around the version nibble 8. Then the
 * variant bits 10 and the trade id in the low 62 bits: ids are below 2^53, so the nibble that holds
 * the variant is always 8. Two trades of one instrument can never share an id; two instruments
 * share a prefix with probability 2^-60.
 *
 * The text is 36 ASCII bytes = nine 32-bit words, little-endian as in Arrow buffers. Five words are
 * the instrument's, four come from the trade id by table: no hex digit is ever computed per trade.
 */
import { createHash } from 'node:crypto';
import type { Exchange } from '#schemas/exchange';
import { assert } from '#src/base/errors';

export const MESSAGE_ID_BYTES = 36;
export const MESSAGE_ID_WORDS = MESSAGE_ID_BYTES / 4;
const PREFIX_WORDS = 5;
const DASH = 0x2d;

/** The text 'xxxx' of every 16-bit value as one word: 256 KiB, of which neighbouring ids share lines. */
const HEX_4 = wordTable(65_536, hexWord);
/** The text 'xxx-' of every 12-bit value. */
const HEX_3_DASH = wordTable(4_096, (value) => (hexWord(value) >>> 8) | (DASH << 24));

/** The first 20 bytes of the message ids of an instrument, as five words. */
export function messageIdPrefix(exchange: Exchange, symbol: string): Uint32Array {
  const hash = createHash('sha256').update(`${exchange}|${symbol}`).digest('hex');
  return asciiWords(`${hash.slice(0, 8)}-${hash.slice(8, 12)}-8${hash.slice(12, 15)}-8`);
}

/** Writes the message id of `tradeId` (its two int64 words) as nine words from `words[at]` on. */
export function writeMessageId(
  words: Uint32Array,
  at: number,
  prefix: Uint32Array,
  idLow: number,
  idHigh: number,
): void {
  words[at] = prefix[0];
  words[at + 1] = prefix[1];
  words[at + 2] = prefix[2];
  words[at + 3] = prefix[3];
  words[at + 4] = prefix[4];
  words[at + 5] = HEX_3_DASH[idHigh >>> 16];
  words[at + 6] = HEX_4[idHigh & 0xffff];
  words[at + 7] = HEX_4[idLow >>> 16];
  words[at + 8] = HEX_4[idLow & 0xffff];
}

/** The same as text: for output and tests. */
export function messageId(exchange: Exchange, symbol: string, tradeId: number): string {
  assert(Number.isSafeInteger(tradeId) && tradeId >= 0, `trade id ${tradeId} is not in [0, 2^53)`);
  const words = new Uint32Array(MESSAGE_ID_WORDS);
  const prefix = messageIdPrefix(exchange, symbol);
  writeMessageId(words, 0, prefix, tradeId | 0, Math.floor(tradeId / 4_294_967_296));
  return Buffer.from(words.buffer).toString('latin1');
}

function asciiWords(text: string): Uint32Array {
  assert(text.length === 4 * PREFIX_WORDS, `'${text}' is not ${4 * PREFIX_WORDS} characters`);
  return new Uint32Array(new Uint8Array(Buffer.from(text, 'latin1')).buffer);
}

function wordTable(size: number, word: (value: number) => number): Uint32Array {
  const words = new Uint32Array(size);
  for (let value = 0; value < size; value++) words[value] = word(value);
  return words;
}

/** Four hex digits, the first one in the lowest byte. */
function hexWord(value: number): number {
  const digit = (shift: number): number => {
    const nibble = (value >>> shift) & 15;
    return nibble + (nibble < 10 ? 48 : 87);
  };
  return digit(12) | (digit(8) << 8) | (digit(4) << 16) | (digit(0) << 24);
}
