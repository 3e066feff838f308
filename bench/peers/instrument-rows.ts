/** The instrument list as SQL rows: what a peer joins native symbols with. */
import type { Exchange } from '#schemas/exchange';
import { messageId } from '#src/trades/message-id';
import { recordedInstruments } from '../recording.js';

/** Length of the part of a message id that the instrument decides. */
const PREFIX_LENGTH = 20;

/** `('BTCUSDT', 'BTCUSDT', 'USDT', '<prefix>'), ...`: native symbol, symbol, quote asset, id prefix. */
export function instrumentRows(exchange: Exchange): string {
  return recordedInstruments()
    .filter((instrument) => instrument.exchange === exchange)
    .map(({ nativeSymbol, symbol, quoteAsset }) => {
      const prefix = messageId(exchange, symbol, 0).slice(0, PREFIX_LENGTH);
      return `('${nativeSymbol}', '${symbol}', '${quoteAsset}', '${prefix}')`;
    })
    .join(', ');
}

/** Coarser timeframes, and the finer one each is made from. */
export const ROLL_UPS = [
  { name: '5m', from: '1m', seconds: 300 },
  { name: '15m', from: '5m', seconds: 900 },
  { name: '30m', from: '15m', seconds: 1_800 },
  { name: '1h', from: '30m', seconds: 3_600 },
  { name: '1d', from: '1h', seconds: 86_400 },
] as const;
