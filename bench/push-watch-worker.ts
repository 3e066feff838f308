/** The thread of push-watch.ts. */
import { parentPort, workerData } from 'node:worker_threads';
import { WebSocket } from 'ws';
import { systemClock } from '#src/base/clock';
import type { CandlesMessage } from '#src/push/messages';
import type { Sighting } from './live-watch.js';

export interface WatchedInstrument {
  readonly code: number;
  readonly exchange: string;
  readonly symbol: string;
}

export interface PushWatchData {
  readonly port: number;
  readonly instruments: readonly WatchedInstrument[];
}

const { port, instruments } = workerData as PushWatchData;
const clock = systemClock();
const codes = new Map(
  instruments.map(({ code, exchange, symbol }) => [`${exchange} ${symbol}`, code]),
);
const last = new Map<number, number>();
const sightings: Sighting[] = [];
let messages = 0;
let bytes = 0;

const socket = new WebSocket(`ws://127.0.0.1:${port}/v1/stream`);
socket.on('open', () => {
  for (const { exchange, symbol } of instruments) {
    const subject = { channel: 'candles', exchange, symbol, timeframe: '1m', limit: 1 };
    socket.send(JSON.stringify({ op: 'subscribe', ...subject }));
  }
});
socket.on('message', (data: Buffer) => {
  messages++;
  bytes += data.length;
  const { exchange, symbol, candles } = JSON.parse(String(data)) as CandlesMessage;
  const timeUs = clock.nowUs();
  const instrument = codes.get(`${exchange} ${symbol}`) as number;
  for (const { last_trade_id: lastTradeId } of candles) {
    if (lastTradeId <= (last.get(instrument) ?? -1)) continue;
    last.set(instrument, lastTradeId);
    sightings.push({ instrument, lastTradeId, timeUs });
  }
});
parentPort?.once('message', () => {
  socket.terminate();
  parentPort?.postMessage({ sightings, messages, bytes });
});
