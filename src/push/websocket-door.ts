/**
 * The WebSocket of `/v1/stream`, on the gateway's own HTTP server.
 *
 * Who may come in is asked before the handshake. A message is at most 64 KiB in 64 fragments and
 * nothing is compressed, so no client can make the server hold more than that. A client that has not
 * answered a ping by the next one is gone.
 */
import type { IncomingMessage, Server } from 'node:http';
import type { Duplex } from 'node:stream';
import { type WebSocket, WebSocketServer } from 'ws';
import type { Admission } from '#src/api/admission';
import { Problem } from '#src/api/problem';
import { answerRaw } from '#src/api/raw-answer';
import type { Clock } from '#src/base/clock';
import type { Timers } from '#src/base/timers';
import type { EncodedMessage } from '#src/push/encoded-message';
import type { PushHub } from '#src/push/push-hub';
import { REQUESTS_PER_SECOND, RequestRate } from '#src/push/request-rate';
import type { CloseReason, Wire } from '#src/push/stream-client';

export const STREAM_PATH = '/v1/stream';
/** The subprotocol a browser names beside its token; it wants one of those it named back. */
export const STREAM_PROTOCOL = 'bullion.v1';

const MESSAGE_BYTES_MAX = 64 * 1024;
const FRAGMENTS_MAX = 64;
/** Milliseconds a client has to answer a closing handshake. */
const CLOSE_MS_MAX = 1_000;

const CLOSE_CODES: Readonly<Record<CloseReason, number>> = {
  'too slow': 1013,
  'too many requests': 1008,
  'server stopping': 1001,
};

export interface WebSocketDoorOptions {
  readonly hub: PushHub;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly onFailure: (error: unknown) => void;
}

export class WebSocketDoor {
  readonly #options: WebSocketDoorOptions;
  readonly #server: WebSocketServer;
  /** Open sockets, and whether each has been heard of since the last ping. */
  readonly #sockets = new Map<WebSocket, boolean>();

  constructor(options: WebSocketDoorOptions) {
    this.#options = options;
    const limits = { maxPayload: MESSAGE_BYTES_MAX, maxFragments: FRAGMENTS_MAX };
    this.#server = new WebSocketServer({
      noServer: true,
      perMessageDeflate: false,
      clientTracking: false,
      handleProtocols: (offered) => (offered.has(STREAM_PROTOCOL) ? STREAM_PROTOCOL : false),
      ...limits,
    });
  }

  /** Takes the upgrades of an HTTP server, as far as they are admitted. */
  attach(server: Server, admission: Admission): void {
    server.on('upgrade', (request, socket, head) => {
      // A client that goes away before it is let in, or while it is told that it is not.
      socket.on('error', () => {});
      try {
        this.#upgrade(admission, request, socket, head);
      } catch (error) {
        socket.destroy();
        this.#options.onFailure(error);
      }
    });
  }

  /** Drops who has not answered the last ping, and pings the others. */
  beat(): void {
    for (const [socket, isAlive] of this.#sockets) {
      if (!isAlive) {
        socket.terminate();
        continue;
      }
      this.#sockets.set(socket, false);
      socket.ping();
    }
  }

  #upgrade(admission: Admission, request: IncomingMessage, socket: Duplex, head: Buffer): void {
    if (!admission.upgrade(request, socket, 'read') || socket.destroyed) return;
    if ((request.url ?? '').split('?', 1)[0] !== STREAM_PATH) {
      answerRaw(socket, new Problem(404, `WebSockets are at ${STREAM_PATH}.`));
      return;
    }
    this.#server.handleUpgrade(request, socket, head, (connected) => this.#accept(connected));
  }

  #accept(socket: WebSocket): void {
    const { hub, clock, timers } = this.#options;
    const client = hub.join(wireOf(socket, timers));
    socket.on('error', () => {}); // what breaks the protocol is answered and closed by `ws` itself
    if (client === undefined) {
      socket.close(1013, 'too many clients');
      timers.after(CLOSE_MS_MAX, () => socket.terminate());
      return;
    }
    this.#sockets.set(socket, true);
    const rate = new RequestRate(clock);
    const counted = (): boolean => {
      this.#sockets.set(socket, true);
      if (rate.take()) return true;
      client.close('too many requests');
      return false;
    };
    socket.on('ping', counted);
    socket.on('pong', counted);
    socket.on('message', (data, isBinary) => {
      if (!counted()) return;
      hub.request(client, isBinary ? '' : String(data));
    });
    socket.on('close', () => {
      this.#sockets.delete(socket);
      hub.leave(client);
    });
  }
}

function wireOf(socket: WebSocket, timers: Timers): Wire {
  return {
    send(message: EncodedMessage): void {
      if (socket.readyState === socket.OPEN) socket.send(message.bytes, { binary: false });
    },
    get bufferedBytes(): number {
      return socket.bufferedAmount;
    },
    close(reason): void {
      if (socket.readyState !== socket.OPEN) return;
      const said = reason === 'too many requests' ? `${reason}: ${REQUESTS_PER_SECOND}/s` : reason;
      socket.close(CLOSE_CODES[reason], said);
      timers.after(CLOSE_MS_MAX, () => socket.terminate());
    },
  };
}
