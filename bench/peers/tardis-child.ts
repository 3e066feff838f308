/**
 * tardis-dev doing what it can of the job: parse, normalise, 1m bars. Floats, no deduplication and
 * nothing stored; one thread.
 */
import { closeSync, openSync, readSync } from 'node:fs';
import { computeTradeBars, normalizeTrades } from 'tardis-dev';
import { answerParent, measureProcess, type Usage } from '../pinned-child.js';
import type { PeerRequest } from './peer.js';

export interface TardisAnswer {
  readonly usage: Usage;
  readonly trades: number;
  readonly bars: number;
}

/** Kraken's second version, which the frames are of, is not in it. */
const NAMES = { BINANCE: 'binance', COINBASE: 'coinbase' } as const;
const NEWLINE = 10;

/** Larger than any frame; a file of 20 million trades is more than a Buffer holds. */
const CHUNK_BYTES = 64 * 1024 * 1024;

/** The frames of a file as the client would get them from a socket. */
function* frames(path: string): Generator<string> {
  const file = openSync(path, 'r');
  const chunk = Buffer.allocUnsafe(CHUNK_BYTES);
  let kept = 0;
  for (;;) {
    const end = kept + readSync(file, chunk, kept, CHUNK_BYTES - kept, null);
    if (end === kept) break;
    const bytes = chunk.subarray(0, end);
    let at = 0;
    for (let newline = bytes.indexOf(NEWLINE); newline >= 0; newline = bytes.indexOf(NEWLINE, at)) {
      yield bytes.toString('utf8', at, newline);
      at = newline + 1;
    }
    chunk.copyWithin(0, at, end);
    kept = end - at;
  }
  closeSync(file);
}

function barsOf(exchange: keyof typeof NAMES, file: string): { trades: number; bars: number } {
  const mapper = normalizeTrades(NAMES[exchange], new Date(0));
  const makeBars = computeTradeBars({ kind: 'time', interval: 60_000 });
  const bySymbol = new Map<string, ReturnType<typeof makeBars>>();
  let trades = 0;
  let bars = 0;
  const localTimestamp = new Date();
  for (const frame of frames(file)) {
    let message: unknown;
    try {
      message = JSON.parse(frame);
    } catch {
      continue; // an invalid one
    }
    if (!mapper.canHandle(message)) continue;
    try {
      for (const trade of mapper.map(message, localTimestamp) ?? []) {
        trades++;
        let open = bySymbol.get(trade.symbol);
        if (open === undefined) {
          open = makeBars();
          bySymbol.set(trade.symbol, open);
        }
        for (const _bar of open.compute(trade)) bars++;
      }
    } catch (error) {
      if (!(error instanceof TypeError)) throw error; // it trips over invalid trades
    }
  }
  return { trades, bars: bars + bySymbol.size };
}

answerParent(async ({ lines }: PeerRequest): Promise<TardisAnswer> => {
  const taken = measureProcess();
  let [trades, bars] = [0, 0];
  for (const exchange of ['BINANCE', 'COINBASE'] as const) {
    const made = barsOf(exchange, lines[exchange]);
    trades += made.trades;
    bars += made.bars;
  }
  return { usage: taken(), trades, bars };
});
