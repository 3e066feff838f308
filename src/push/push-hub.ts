/**
 * The hub: clients and topics, and the round that brings what is new to whom it concerns.
 *
 * A topic exists while somebody is subscribed to it. A round asks each topic once; what it says is
 * encoded once and handed to every subscriber. Everything happens on one thread and without waiting,
 * so a snapshot and the updates after it fit together: nothing falls between them.
 */
import type { Instrument } from '#schemas/instrument';
import type { Timeframe } from '#schemas/timeframe';
import type { Clock } from '#src/base/clock';
import { EncodedMessage } from '#src/push/encoded-message';
import { LIMIT_DEFAULT } from '#src/push/messages';
import { StreamClient, type Wire } from '#src/push/stream-client';
import {
  findInstrument,
  readRequest,
  type Subject,
  subjectName,
  unknownInstrument,
} from '#src/push/subscriptions';
import { CandleTopic, type StreamSources, type Topic, TradeTopic } from '#src/push/topics';

export const SUBSCRIPTIONS_MAX = 100;
export const CLIENTS_MAX = 128;

interface Channel {
  readonly topic: Topic;
  readonly clients: Set<StreamClient>;
}

export interface PushHubOptions {
  readonly instruments: readonly Instrument[];
  readonly sources: StreamSources;
  readonly clock: Clock;
  /** The first subscription has come: there is somebody to make rounds for. */
  readonly onWanted: () => void;
}

export class PushHub {
  readonly #options: PushHubOptions;
  readonly #channels = new Map<string, Channel>();
  readonly #clients = new Set<StreamClient>();

  constructor(options: PushHubOptions) {
    this.#options = options;
  }

  get clients(): number {
    return this.#clients.size;
  }

  /** Whether there is anything to make rounds for. */
  get isWanted(): boolean {
    return this.#channels.size > 0;
  }

  /** A new client; undefined when there are as many as may be. */
  join(wire: Wire): StreamClient | undefined {
    if (this.#clients.size === CLIENTS_MAX) return undefined;
    const client = new StreamClient(wire);
    this.#clients.add(client);
    return client;
  }

  leave(client: StreamClient): void {
    if (!this.#clients.delete(client)) return;
    for (const name of client.names()) this.#release(name, client);
  }

  /** What a client said. */
  request(client: StreamClient, text: string): void {
    const refusal = this.#obey(client, text);
    if (refusal === undefined) return;
    client.answer(new EncodedMessage({ type: 'error', detail: refusal }), this.#nowMs());
  }

  /** Subscribes; a string is the sentence that refuses it. */
  subscribe(client: StreamClient, subject: Subject, limit = LIMIT_DEFAULT): string | undefined {
    const name = subjectName(subject);
    if (!client.has(name) && client.subscriptions === SUBSCRIPTIONS_MAX) {
      return `A client has at most ${SUBSCRIPTIONS_MAX} subscriptions.`;
    }
    const wasWanted = this.isWanted;
    const channel = this.#channel(name, subject.instrument, subject.timeframe);
    // The others first: the snapshot goes as far as what has been told.
    this.#tell(name, channel, this.#nowMs());
    client.add(name, { topic: channel.topic, limit }, this.#nowMs());
    channel.clients.add(client);
    if (!wasWanted) this.#options.onWanted();
    return undefined;
  }

  /** Tells every subscriber what is new. */
  round(): void {
    const nowMs = this.#nowMs();
    for (const [name, channel] of this.#channels) this.#tell(name, channel, nowMs);
    for (const client of this.#clients) client.check(nowMs);
  }

  end(): void {
    for (const client of this.#clients) client.close('server stopping');
  }

  #obey(client: StreamClient, text: string): string | undefined {
    const request = readRequest(text);
    if (typeof request === 'string') return request;
    const { exchange, symbol, channel } = request;
    const instrument = findInstrument(this.#options.instruments, exchange, symbol);
    if (instrument === undefined) return unknownInstrument();
    const timeframe = request.channel === 'candles' ? request.timeframe : undefined;
    const subject = { instrument, timeframe };
    if (request.op === 'subscribe') return this.subscribe(client, subject, request.limit);
    const name = subjectName(subject);
    if (!client.has(name)) return 'There is no such subscription.';
    client.remove(name);
    this.#release(name, client);
    const done = { type: 'unsubscribed', channel, exchange, symbol } as const;
    const message = timeframe === undefined ? done : { ...done, timeframe };
    client.answer(new EncodedMessage(message), this.#nowMs());
    return undefined;
  }

  #channel(name: string, instrument: Instrument, timeframe: Timeframe | undefined): Channel {
    const known = this.#channels.get(name);
    if (known !== undefined) return known;
    const { sources } = this.#options;
    const topic =
      timeframe === undefined
        ? new TradeTopic(sources, instrument)
        : new CandleTopic(sources, instrument, timeframe);
    const channel = { topic, clients: new Set<StreamClient>() };
    this.#channels.set(name, channel);
    return channel;
  }

  #tell(name: string, { topic, clients }: Channel, nowMs: number): void {
    const message = topic.update();
    if (message === undefined) return;
    for (const client of clients) client.deliver(name, message, nowMs);
  }

  #release(name: string, client: StreamClient): void {
    const channel = this.#channels.get(name);
    channel?.clients.delete(client);
    if (channel?.clients.size === 0) this.#channels.delete(name);
  }

  #nowMs(): number {
    return this.#options.clock.monotonicMs();
  }
}
