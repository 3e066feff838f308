/**
 * What the oracle makes of one frame: nothing (control), a dead letter as a whole, or its records in
 * order. Each exchange's messages as its documentation describes them, read from a tree.
 */
import type { Exchange } from '#schemas/exchange';
import { binanceMessage, binancePage } from '#tests/support/oracle/binance';
import { coinbaseMessage, coinbasePage } from '#tests/support/oracle/coinbase';
import { CSV_TAG, readCsv } from '#tests/support/oracle/csv';
import { readJson, textOf } from '#tests/support/oracle/json-text';
import { krakenMessage, krakenPage } from '#tests/support/oracle/kraken';
import {
  CONTROL,
  type FrameReading,
  MALFORMED_FRAME,
  type MessageReader,
  type PageReader,
  UNRECOGNISED,
  type Venue,
} from '#tests/support/oracle/venue';

/** Frame kinds by their number in the log. */
export const FRAME_KIND = { ws: 0, rest: 1, import: 2, csv: 3, replay: 4 } as const;

const MESSAGES: Readonly<Record<Exchange, MessageReader>> = {
  BINANCE: binanceMessage,
  KRAKEN: krakenMessage,
  COINBASE: coinbaseMessage,
};
const PAGES: Readonly<Record<Exchange, PageReader>> = {
  BINANCE: binancePage,
  KRAKEN: krakenPage,
  COINBASE: coinbasePage,
};

export function readFrame(venue: Venue, bytes: Uint8Array, kind: number): FrameReading {
  const text = textOf(bytes);
  switch (kind) {
    case FRAME_KIND.ws:
      return readMessageText(venue, text, []);
    case FRAME_KIND.import:
      return readMessageText(venue, text, ['imported']);
    case FRAME_KIND.rest:
      return text === undefined ? MALFORMED_FRAME : readPageText(venue, text);
    case FRAME_KIND.csv:
      return readCsvText(venue, bytes, ['imported']);
    default: {
      // A replayed frame does not say what it was: a tag line in front does.
      const plain = bytesOf(bytes);
      if (/^[\0-\x20]*[[{]/.test(plain)) return readMessageText(venue, text, []);
      if (CSV_TAG.test(plain)) return readCsvText(venue, bytes, []);
      if (text === undefined) return MALFORMED_FRAME;
      return PAGE_TAG.test(text) ? readPageText(venue, text) : readMessageText(venue, text, []);
    }
  }
}

/** The row has to be UTF-8; the tag in front of it is ours, and a symbol in it may be any bytes. */
function readCsvText(venue: Venue, bytes: Uint8Array, conditions: readonly string[]): FrameReading {
  const row = bytes.subarray(bytes.indexOf(10) + 1);
  if (textOf(row) === undefined) return MALFORMED_FRAME;
  return readCsv(venue, bytesOf(bytes), conditions);
}

function bytesOf(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('latin1');
}

function readMessageText(
  venue: Venue,
  text: string | undefined,
  conditions: readonly string[],
): FrameReading {
  if (venue.exchange === 'KRAKEN' && text === 'CloudFlare WebSocket proxy restarting') {
    return CONTROL;
  }
  const json = text === undefined ? undefined : readJson(text);
  if (json === undefined) return MALFORMED_FRAME;
  if (json.kind !== 'object') return UNRECOGNISED;
  return MESSAGES[venue.exchange](venue, json, conditions);
}

const PAGE_TAG = /^([\x21-\x7e]+)\n/;

function readPageText(venue: Venue, text: string): FrameReading {
  const tag = PAGE_TAG.exec(text);
  const json = tag === null ? undefined : readJson(text.slice(tag[0].length));
  if (tag === null || json === undefined) return MALFORMED_FRAME;
  return PAGES[venue.exchange](venue, json, tag[1]!);
}
