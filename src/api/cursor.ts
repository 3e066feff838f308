/**
 * Cursors: where a page ended, as a text that only a server with this secret can have made. Version,
 * content and an HMAC over both, in base64url; whatever was changed in it is refused, as is one of
 * another query.
 */
import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import { Problem } from '#src/api/problem';

const VERSION = 1;
const MAC_BYTES = 16;
const DIGEST_CHARS = 16;
/** Longer than any of ours. */
export const CURSOR_CHARS_MAX = 512;

export class Cursors {
  readonly #secret: Uint8Array;

  /** `secret`: 32 bytes; cursors live as long as it does. */
  constructor(secret: Uint8Array) {
    this.#secret = secret;
  }

  /** `query`: everything that decides which rows there are, but for where the page starts. */
  write(query: unknown, position: unknown): string {
    const content = JSON.stringify([digestOf(query), position]);
    const signed = Buffer.concat([Buffer.from([VERSION]), Buffer.from(content)]);
    return Buffer.concat([signed, this.#mac(signed)]).toString('base64url');
  }

  /** The position; a Problem for a cursor that is not ours. */
  open(text: string): Cursor {
    const bytes = Buffer.from(text, 'base64url');
    const signed = bytes.subarray(0, -MAC_BYTES);
    const isOurs =
      text.length <= CURSOR_CHARS_MAX &&
      bytes.length > MAC_BYTES + 1 &&
      bytes.toString('base64url') === text && // each text stands for itself alone
      timingSafeEqual(bytes.subarray(-MAC_BYTES), this.#mac(signed)) &&
      signed[0] === VERSION;
    if (!isOurs) {
      throw new Problem(400, 'cursor is not one of this server: begin anew');
    }
    const [digest, position] = JSON.parse(signed.subarray(1).toString()) as [string, unknown];
    return {
      position,
      check: (query) => {
        if (digest === digestOf(query)) return;
        throw new Problem(400, 'cursor belongs to another query: only the limit may change');
      },
    };
  }

  #mac(signed: Uint8Array): Buffer {
    return createHmac('sha256', this.#secret).update(signed).digest().subarray(0, MAC_BYTES);
  }
}

export interface Cursor {
  readonly position: unknown;
  /** Refuses a cursor that came with another query. */
  check(query: unknown): void;
}

function digestOf(query: unknown): string {
  const plain = JSON.stringify(query, (_, value) =>
    typeof value === 'bigint' ? String(value) : value,
  );
  return createHash('sha256').update(plain).digest('base64url').slice(0, DIGEST_CHARS);
}
