/**
 * Problems written straight to a socket: for what was no HTTP request and for upgrades that are
 * refused, where there is no reply object.
 */
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { PROBLEM_TYPE, Problem, statusDetail } from '#src/api/problem';
import { SECURITY_HEADERS } from '#src/api/protection';
import { errorCode } from '#src/base/errors';

export function answerRaw(socket: Duplex, problem: Problem): void {
  answerBytes(socket, bytesOf(problem));
}

function bytesOf({ status, text, title, headers }: Problem): Buffer {
  const all = {
    ...SECURITY_HEADERS,
    ...headers,
    'content-type': PROBLEM_TYPE,
    'content-length': String(Buffer.byteLength(text)),
    connection: 'close',
  };
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`);
  return Buffer.from(`HTTP/1.1 ${status} ${title}\r\n${lines.join('')}\r\n${text}`);
}

function answerBytes(socket: Duplex, bytes: Buffer): void {
  if (socket.destroyed || !socket.writable) socket.destroy();
  else socket.end(bytes);
}

/** Ready to be sent: whoever is flooded with garbage says this a lot. */
const BROKEN = new Map(
  [400, 408, 431].map((status) => [status, bytesOf(new Problem(status, statusDetail(status)))]),
);

/** What the HTTP parser refused. */
export function answerBrokenRequest(error: Error, socket: Socket): void {
  const code = errorCode(error);
  // Whoever has said nothing until its time was over has asked nothing either: there is no answer.
  if (code === 'ECONNRESET' || socket.bytesRead === 0) {
    socket.destroy();
    return;
  }
  const status =
    code === 'HPE_HEADER_OVERFLOW' ? 431 : code === 'ERR_HTTP_REQUEST_TIMEOUT' ? 408 : 400;
  answerBytes(socket, BROKEN.get(status) as Buffer);
}
