/**
 * A client of the API in a process of its own: asks one thing again and again over one kept-alive
 * connection, at a steady rate, and says how long each answer took from the first byte sent to the
 * last byte received. It parses no more of HTTP than it needs, so that it measures the server.
 */
import { connect, type Socket } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { answerParent } from './pinned-child.js';

export interface ClientRequest {
  readonly port: number;
  readonly path: string;
  readonly perSecond: number;
  readonly seconds: number;
}

export interface ClientAnswer {
  /** Ascending. */
  readonly tookMs: readonly number[];
  readonly bytes: number;
  readonly last: string;
}

/** One answer on a socket that had none under way. */
function exchange(socket: Socket, request: string): Promise<string> {
  return new Promise((done, fail) => {
    let text = '';
    const onData = (piece: Buffer): void => {
      text += piece.toString('latin1');
      const end = text.indexOf('\r\n\r\n');
      if (end < 0) return;
      const length = Number(/content-length: (\d+)/i.exec(text)?.[1] ?? Number.NaN);
      if (!(text.length >= end + 4 + length)) return;
      socket.off('data', onData);
      if (text.startsWith('HTTP/1.1 200 ')) done(text.slice(end + 4));
      else fail(new Error(text.slice(0, 500)));
    };
    socket.on('data', onData);
    socket.once('error', fail);
    socket.write(request);
  });
}

answerParent(async ({ port, path, perSecond, seconds }: ClientRequest): Promise<ClientAnswer> => {
  const socket = connect(port, '127.0.0.1').setNoDelay(true);
  const request = `GET ${path} HTTP/1.1\r\nHost: localhost\r\n\r\n`;
  const tookMs: number[] = [];
  let last = '';
  const started = performance.now();
  for (let i = 0; ; i++) {
    const dueMs = started + (i * 1_000) / perSecond;
    if (dueMs > started + seconds * 1_000) break;
    const waitMs = dueMs - performance.now();
    if (waitMs > 0) await pause(waitMs);
    const from = performance.now();
    last = await exchange(socket, request);
    tookMs.push(performance.now() - from);
    socket.removeAllListeners('error');
  }
  socket.destroy();
  return { tookMs: tookMs.sort((a, b) => a - b), bytes: last.length, last };
});
