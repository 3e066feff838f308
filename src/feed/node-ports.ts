/**
 * The ports of a running process: the `ws` client and node:http(s).
 *
 * The exchange's side is not trusted: no compression (so no compression bombs), no message above
 * FRAME_BYTES_MAX, a bounded REST body, no redirects, TLS always verified.
 */
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { WebSocket } from 'ws';
import { FRAME_BYTES_MAX } from '#src/log/frame';
import type { HttpGet, HttpResponse, Network, WebSocketConnector } from './ports.js';

const HANDSHAKE_TIMEOUT_MS = 10_000;
/** How long the peer may take to answer our close frame before the socket is destroyed. */
const CLOSE_TIMEOUT_MS = 5_000;

const sockets: WebSocketConnector = {
  open(url, handlers) {
    const options = {
      perMessageDeflate: false,
      maxPayload: FRAME_BYTES_MAX,
      handshakeTimeout: HANDSHAKE_TIMEOUT_MS,
      closeTimeout: CLOSE_TIMEOUT_MS,
      // Bad UTF-8 is for validation to judge; bronze keeps the bytes.
      skipUTF8Validation: true,
      autoPong: true,
      followRedirects: false,
    };
    const socket = new WebSocket(url, options);
    socket.on('open', () => handlers.onOpen());
    socket.on('message', (frame) => handlers.onMessage(frame as Buffer));
    socket.on('ping', () => handlers.onPing());
    socket.on('error', (error) => handlers.onError(error));
    socket.on('close', (code, reason) => handlers.onClose(code, reason.toString()));
    socket.on('unexpected-response', (_request, response) => {
      handlers.onRefused(response.statusCode ?? 0, response.headers['retry-after']);
      response.destroy();
      socket.terminate();
    });
    return {
      send: (text) => {
        if (socket.readyState === WebSocket.OPEN) socket.send(text);
      },
      close: () => socket.close(1000),
      terminate: () => socket.terminate(),
    };
  },
};

function readBody(response: IncomingMessage, bodyBytesMax: number): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let bytes = 0;
    response.on('data', (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes > bodyBytesMax) {
        response.destroy(new Error(`answer longer than ${bodyBytesMax} bytes`));
        return;
      }
      chunks.push(chunk);
    });
    response.on('end', () => resolve(Buffer.concat(chunks, bytes)));
    response.on('error', reject);
  });
}

const httpGet: HttpGet = (url, headers, { timeoutMs, bodyBytesMax }) =>
  new Promise<HttpResponse>((resolve, reject) => {
    const request = new URL(url).protocol === 'http:' ? httpRequest : httpsRequest;
    const outgoing = request(url, {
      // Coinbase refuses requests without a User-Agent; identity keeps bodies within their bound.
      headers: { 'user-agent': 'bullion', 'accept-encoding': 'identity', ...headers },
      signal: AbortSignal.timeout(timeoutMs),
    });
    outgoing.on('error', reject);
    outgoing.on('response', (response) => {
      readBody(response, bodyBytesMax).then(
        (body) =>
          resolve({
            status: response.statusCode ?? 0,
            headers: response.headers as Record<string, string | undefined>,
            body,
          }),
        reject,
      );
    });
    outgoing.end();
  });

export const nodeNetwork: Network = { sockets, httpGet };
