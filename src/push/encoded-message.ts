/**
 * A message encoded once for all who get it: as bytes of a WebSocket message, and as a server-sent
 * event. Which of the two is made follows from who asks for it.
 */
import type { StreamMessage } from '#src/push/messages';

export class EncodedMessage {
  readonly #type: string;
  readonly #text: string;
  #bytes: Buffer | undefined;
  #event: Buffer | undefined;

  constructor(message: StreamMessage) {
    this.#type = message.type;
    this.#text = JSON.stringify(message);
  }

  get bytes(): Buffer {
    this.#bytes ??= Buffer.from(this.#text);
    return this.#bytes;
  }

  /** JSON has no line breaks of its own, so the data is one line. */
  get event(): Buffer {
    this.#event ??= Buffer.from(`event: ${this.#type}\ndata: ${this.#text}\n\n`);
    return this.#event;
  }
}
