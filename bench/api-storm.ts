/**
 * A storm on the API from a process of its own: idle sockets, connected again whenever the server
 * closes them; readers that ask for a megabyte and hardly read; requests that are bad in every
 * way. It is niced to the lowest priority: what is measured is what the server spends, not the storm.
 */

import { connect, type Socket } from 'node:net';
import { constants, setPriority } from 'node:os';
import { setTimeout as pause } from 'node:timers/promises';
import { answerParent } from './pinned-child.js';

export interface StormRequest {
  readonly port: number;
  readonly seconds: number;
  readonly idleSockets: number;
  readonly slowReaders: number;
  readonly badPerSecond: number;
}

export interface StormAnswer {
  readonly connected: number;
  readonly refused: number;
  readonly answered: number;
}

const BAD = [
  'GET /v1/nothing HTTP/1.1\r\nHost: localhost\r\n\r\n',
  'GET /v1/trades?symbol=%27%3B+drop+table HTTP/1.1\r\nHost: localhost\r\n\r\n',
  'GET /v1/symbols HTTP/1.1\r\nHost: evil.example\r\n\r\n',
  `GET /${'x'.repeat(9_000)} HTTP/1.1\r\nHost: localhost\r\n\r\n`,
  'POST /v1/replay HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 1\r\n\r\n{',
  'GET /v1/ohlcv/7m HTTP/1.1\r\nHost: localhost\r\n\r\n',
  'no HTTP at all\r\n\r\n',
  'GET /%zz HTTP/1.1\r\nHost: localhost\r\n\r\n',
];

answerParent(async (request: StormRequest): Promise<StormAnswer> => {
  setPriority(constants.priority.PRIORITY_LOW);
  const { port, seconds, idleSockets, slowReaders, badPerSecond } = request;
  let over = false;
  let connected = 0;
  let refused = 0;
  let answered = 0;
  const open = new Set<Socket>();

  const hold = (then: (socket: Socket) => void): void => {
    if (over) return;
    const socket = connect(port, '127.0.0.1');
    open.add(socket);
    let seen = false;
    socket.on('connect', () => {
      seen = true;
      connected++;
      then(socket);
    });
    socket.on('error', () => {});
    socket.on('close', () => {
      open.delete(socket);
      if (!seen) refused++;
      // At once would be a busy loop of ours, not of the server.
      setTimeout(() => hold(then), 1_000);
    });
  };
  for (let i = 0; i < idleSockets; i++) hold(() => {});
  for (let i = 0; i < slowReaders; i++) {
    hold((socket) => {
      socket.write('GET /docs/static/swagger-ui-bundle.js HTTP/1.1\r\nHost: localhost\r\n\r\n');
      socket.pause();
      const sip = setInterval(() => socket.read(16), 1_000);
      socket.on('close', () => clearInterval(sip));
    });
  }
  const end = performance.now() + seconds * 1_000;
  for (let i = 0; performance.now() < end; i++) {
    const socket = connect(port, '127.0.0.1');
    open.add(socket);
    socket.on('error', () => {});
    socket.on('close', () => open.delete(socket));
    socket.once('data', () => {
      answered++;
      socket.destroy();
    });
    socket.write(BAD[i % BAD.length] as string);
    await pause(1_000 / badPerSecond);
  }
  over = true;
  for (const socket of open) socket.destroy();
  return { connected, refused, answered };
});
