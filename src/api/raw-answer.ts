/**
 * Problems written straight to a socket: for what was no HTTP request and for upgrades that are
 * refused, where there is no reply object.
 */
import type { Duplex } from 'node:stream';
import { PROBLEM_TYPE, Problem, problemBody, statusDetail } from '#src/api/problem';
import { SECURITY_HEADERS } from '#src/api/protection';
import { errorCode } from '#src/base/errors';

export function answerRaw(socket: Duplex, { status, message, headers }: Problem): void {
  if (socket.destroyed || !socket.writable) {
    socket.destroy();
    return;
  }
  const problem = problemBody(status, message);
  const body = JSON.stringify(problem);
  const all = {
    ...SECURITY_HEADERS,
    ...headers,
    'content-type': PROBLEM_TYPE,
    'content-length': String(Buffer.byteLength(body)),
    connection: 'close',
  };
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`);
  socket.end(`HTTP/1.1 ${status} ${problem.title}\r\n${lines.join('')}\r\n${body}`);
}

/** What the HTTP parser refused. */
export function answerBrokenRequest(error: Error, socket: Duplex): void {
  const code = errorCode(error);
  if (code === 'ECONNRESET') {
    socket.destroy();
    return;
  }
  const status =
    code === 'HPE_HEADER_OVERFLOW' ? 431 : code === 'ERR_HTTP_REQUEST_TIMEOUT' ? 408 : 400;
  answerRaw(socket, new Problem(status, statusDetail(status)));
}
