/**
 * The same stream as server-sent events: `GET /v1/stream?candles=BINANCE:BTCUSDT:1m&trades=...`.
 * Subscriptions are in the URL, messages are the same; `event` is snapshot or update.
 */
import type { ServerResponse } from 'node:http';
import { Type } from '@sinclair/typebox';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Instrument } from '#schemas/instrument';
import { Problem } from '#src/api/problem';
import type { EncodedMessage } from '#src/push/encoded-message';
import { CANDLES_MAX, LIMIT_DEFAULT } from '#src/push/messages';
import { CLIENTS_MAX, type PushHub, SUBSCRIPTIONS_MAX } from '#src/push/push-hub';
import type { Wire } from '#src/push/stream-client';
import { readSubject, type Subject } from '#src/push/subscriptions';
import { STREAM_PATH } from '#src/push/websocket-door';

const subjects = (form: string) =>
  Type.Optional(
    Type.Union([Type.String(), Type.Array(Type.String())], {
      description: `${form}; may be repeated.`,
    }),
  );

const QUERY = Type.Object({
  candles: subjects('EXCHANGE:SYMBOL:TIMEFRAME'),
  trades: subjects('EXCHANGE:SYMBOL'),
  limit: Type.Optional(Type.Integer({ minimum: 0, maximum: CANDLES_MAX, default: LIMIT_DEFAULT })),
});

/** A line that clients ignore: keeps what stands between from closing an idle connection. */
const COMMENT = Buffer.from(':\n\n');

export class EventStreams {
  readonly #hub: PushHub;
  readonly #instruments: readonly Instrument[];
  readonly #open = new Set<ServerResponse>();

  constructor(hub: PushHub, instruments: readonly Instrument[]) {
    this.#hub = hub;
    this.#instruments = instruments;
  }

  register(app: FastifyInstance): void {
    app.get(
      STREAM_PATH,
      {
        // An answer without a body would be a stream that says nothing and never ends.
        exposeHeadRoute: false,
        // Read by `readSubject`, which has a sentence for everything.
        validatorCompiler: () => () => true,
        schema: {
          summary: 'Live candles and trades as server-sent events, or as a WebSocket.',
          querystring: QUERY,
          response: {
            200: Type.String({ description: 'text/event-stream; the messages of the WebSocket.' }),
          },
        },
      },
      async (request, reply) => this.#start(request, reply),
    );
  }

  /** Tells every client that the connection is still there. */
  beat(): void {
    for (const response of this.#open) response.write(COMMENT);
  }

  end(): void {
    for (const response of this.#open) response.destroy();
  }

  #start(request: FastifyRequest, reply: FastifyReply): void {
    const { subjects, limit } = this.#read(request.query);
    const response = reply.raw;
    const client = this.#hub.join(wireOf(response));
    if (client === undefined) {
      throw new Problem(503, `There are ${CLIENTS_MAX} stream clients already.`);
    }
    const headers = reply.getHeaders();
    reply.hijack();
    response.writeHead(200, {
      ...(headers as Record<string, string>),
      'content-type': 'text/event-stream; charset=utf-8',
      'x-accel-buffering': 'no',
    });
    response.socket?.setTimeout(0); // an event stream is quiet while nothing happens
    this.#open.add(response);
    response.on('error', () => {});
    response.on('close', () => {
      this.#open.delete(response);
      this.#hub.leave(client);
    });
    for (const subject of subjects) this.#hub.subscribe(client, subject, limit);
  }

  #read(query: unknown): { subjects: readonly Subject[]; limit: number } {
    const given = Object.entries(query as Record<string, unknown>);
    const subjects: Subject[] = [];
    let limit = LIMIT_DEFAULT;
    for (const [name, value] of given) {
      if (name === 'candles' || name === 'trades') {
        for (const text of Array.isArray(value) ? value : [value]) {
          const subject = readSubject(this.#instruments, name, String(text));
          if (typeof subject === 'string') throw new Problem(400, subject);
          subjects.push(subject);
        }
      } else if (name === 'limit') {
        limit = /^\d{1,3}$/.test(String(value)) ? Number(value) : CANDLES_MAX + 1;
        if (limit > CANDLES_MAX) {
          throw new Problem(400, `limit must be an integer from 0 to ${CANDLES_MAX}.`);
        }
      } else throw new Problem(400, 'The parameters are candles, trades and limit.');
    }
    if (subjects.length === 0 || subjects.length > SUBSCRIPTIONS_MAX) {
      throw new Problem(
        400,
        `candles and trades must name 1 to ${SUBSCRIPTIONS_MAX} subscriptions together.`,
      );
    }
    return { subjects, limit };
  }
}

function wireOf(response: ServerResponse): Wire {
  return {
    send: (message: EncodedMessage) => void response.write(message.event),
    get bufferedBytes(): number {
      return response.writableLength; // the socket's included
    },
    // Events have no closing word: the client finds the connection ended and comes back.
    close: () => void response.destroy(),
  };
}
