/**
 * Any JSON text as a flat list of tokens, digits and strings staying where they are in the bytes.
 *
 *   {"p":"1.5","a":[7]}   ->   token  0 object  next 5
 *                                     1 string  p          key
 *                                     2 string  1.5        its value
 *                                     3 string  a
 *                                     4 array   next 6     (children follow their container)
 *                                     5 number  7
 *
 * `next` of a token is the one after everything inside it. The whole text is checked (RFC 8259,
 * UTF-8) before anybody reads a token; time and memory are linear in its length, nesting is limited
 * and nothing recurses. Names are compared as bytes: `__proto__` is a name like any other. One
 * tokenizer is used over and over; it allocates only to grow.
 */
import { closingQuote, decodeString, sequenceEnd } from '#src/exchanges/json-string';

export const JSON_OBJECT = 1;
export const JSON_ARRAY = 2;
export const JSON_STRING = 3;
export const JSON_NUMBER = 4;
export const JSON_TRUE = 5;
export const JSON_FALSE = 6;
export const JSON_NULL = 7;

/** Containers inside each other. Exchanges nest 5 deep; JSON.parse would take 200,000. */
export const JSON_DEPTH_MAX = 32;
/** Up to here keys are compared pairwise, which is bounded work per key; above in a set. */
const PAIRWISE_KEYS_MAX = 32;

const QUOTE = 34;
const PLUS = 43;
const COMMA = 44;
const MINUS = 45;
const DOT = 46;
const ZERO = 48;
const NINE = 57;
const COLON = 58;
const OPEN_BRACKET = 91;
const BACKSLASH = 92;
const CLOSE_BRACKET = 93;
const LOWER_E = 101;
const OPEN_BRACE = 123;
const CLOSE_BRACE = 125;

const TRUE = Buffer.from('true');
const FALSE = Buffer.from('false');
const NULL = Buffer.from('null');

export class JsonTokenizer {
  /** Tokens of the text read last. */
  count = 0;
  kind = new Uint8Array(256);
  /** Byte range in `source(token)`: a string without its quotes, a number's or literal's text. */
  start = new Int32Array(256);
  end = new Int32Array(256);
  next = new Int32Array(256);

  #bytes: Uint8Array = new Uint8Array(0);
  #at = 0;
  #end = 0;
  readonly #open = new Int32Array(JSON_DEPTH_MAX);
  #depth = 0;
  /** Strings that had escapes, decoded. Their tokens' ranges are negative: -1 - position here. */
  #decoded = new Uint8Array(0);
  #decodedLength = 0;

  /** Reads [start, end); false when it is not exactly one JSON value. Token 0 is that value. */
  tokenize(bytes: Uint8Array, start: number, end: number): boolean {
    this.#bytes = bytes;
    this.#at = start;
    this.#end = end;
    this.#depth = 0;
    this.#decodedLength = 0;
    this.count = 0;
    do {
      if (!this.#value() || !this.#afterValue()) return false;
    } while (this.#depth > 0);
    return this.#peek() === -1;
  }

  /** The bytes a token's range is in. */
  source(token: number): Uint8Array {
    return this.start[token] < 0 ? this.#decoded : this.#bytes;
  }

  /** Where the token's text starts in `source(token)`. */
  textStart(token: number): number {
    const start = this.start[token];
    return start < 0 ? -1 - start : start;
  }

  /** Where it ends. */
  textEnd(token: number): number {
    const end = this.end[token];
    return end < 0 ? -1 - end : end;
  }

  isObject(token: number): boolean {
    return token >= 0 && this.kind[token] === JSON_OBJECT;
  }

  isArray(token: number): boolean {
    return token >= 0 && this.kind[token] === JSON_ARRAY;
  }

  isString(token: number): boolean {
    return token >= 0 && this.kind[token] === JSON_STRING;
  }

  /** Whether the token is a string that reads `text`. */
  isText(token: number, text: Uint8Array): boolean {
    return this.isString(token) && this.#reads(token, text);
  }

  /** The value under the first key that reads `key`, or -1. */
  find(object: number, key: Uint8Array): number {
    const end = this.next[object];
    for (let token = object + 1; token < end; token = this.next[token + 1]) {
      if (this.#reads(token, key)) return token + 1;
    }
    return -1;
  }

  /** Whether two keys of the object are equal. */
  repeatsKey(object: number): boolean {
    const end = this.next[object];
    let keys = 0;
    for (let token = object + 1; token < end; token = this.next[token + 1]) {
      if (++keys > PAIRWISE_KEYS_MAX) return this.#repeatsKeyOfMany(object);
      for (let other = object + 1; other < token; other = this.next[other + 1]) {
        if (this.#sameText(token, other)) return true;
      }
    }
    return false;
  }

  #repeatsKeyOfMany(object: number): boolean {
    const seen = new Set<string>();
    const end = this.next[object];
    for (let token = object + 1; token < end; token = this.next[token + 1]) {
      const source = this.source(token);
      const text = Buffer.from(source.buffer, source.byteOffset, source.length);
      const key = text.toString('latin1', this.textStart(token), this.textEnd(token));
      if (seen.has(key)) return true;
      seen.add(key);
    }
    return false;
  }

  #reads(token: number, text: Uint8Array): boolean {
    const start = this.textStart(token);
    if (this.textEnd(token) - start !== text.length) return false;
    const source = this.source(token);
    for (let i = 0; i < text.length; i++) {
      if (source[start + i] !== text[i]) return false;
    }
    return true;
  }

  #sameText(a: number, b: number): boolean {
    const startA = this.textStart(a);
    const startB = this.textStart(b);
    const length = this.textEnd(a) - startA;
    if (this.textEnd(b) - startB !== length) return false;
    const sourceA = this.source(a);
    const sourceB = this.source(b);
    for (let i = 0; i < length; i++) {
      if (sourceA[startA + i] !== sourceB[startB + i]) return false;
    }
    return true;
  }

  /** The next byte that is not white space, or -1 at the end. */
  #peek(): number {
    const bytes = this.#bytes;
    const end = this.#end;
    let at = this.#at;
    while (at < end) {
      const byte = bytes[at];
      if (byte !== 32 && byte !== 10 && byte !== 13 && byte !== 9) {
        this.#at = at;
        return byte;
      }
      at++;
    }
    this.#at = end;
    return -1;
  }

  /** Reads one value, or the opening of one: down to the first value that has no first child. */
  #value(): boolean {
    for (;;) {
      const byte = this.#peek();
      if (byte === QUOTE) return this.#string();
      if (byte === OPEN_BRACE || byte === OPEN_BRACKET) {
        if (this.#depth === JSON_DEPTH_MAX) return false;
        const object = byte === OPEN_BRACE;
        this.#open[this.#depth++] = this.#add(object ? JSON_OBJECT : JSON_ARRAY, this.#at, 0);
        this.#at++;
        const first = this.#peek();
        if (first === (object ? CLOSE_BRACE : CLOSE_BRACKET)) return true;
        if (object && !this.#key()) return false;
        continue;
      }
      if (byte === MINUS || (byte >= ZERO && byte <= NINE)) return this.#number();
      if (byte === TRUE[0]) return this.#literal(TRUE, JSON_TRUE);
      if (byte === FALSE[0]) return this.#literal(FALSE, JSON_FALSE);
      if (byte === NULL[0]) return this.#literal(NULL, JSON_NULL);
      return false;
    }
  }

  /** Closes containers after a value, until one goes on with a comma or none is left. */
  #afterValue(): boolean {
    while (this.#depth > 0) {
      const byte = this.#peek();
      const container = this.#open[this.#depth - 1];
      const object = this.kind[container] === JSON_OBJECT;
      if (byte === COMMA) {
        this.#at++;
        return !object || this.#key();
      }
      if (byte !== (object ? CLOSE_BRACE : CLOSE_BRACKET)) return false;
      this.#at++;
      this.end[container] = this.#at;
      this.next[container] = this.count;
      this.#depth--;
    }
    return true;
  }

  #key(): boolean {
    if (this.#peek() !== QUOTE || !this.#string() || this.#peek() !== COLON) return false;
    this.#at++;
    return true;
  }

  #string(): boolean {
    const bytes = this.#bytes;
    const end = this.#end;
    const start = this.#at + 1;
    let at = start;
    while (at < end) {
      const byte = bytes[at];
      if (byte === QUOTE) {
        this.#add(JSON_STRING, start, at);
        this.#at = at + 1;
        return true;
      }
      if (byte === BACKSLASH) return this.#escapedString(start, at);
      if (byte < 32) return false;
      if (byte < 0x80) at++;
      else {
        at = sequenceEnd(bytes, at, end);
        if (at < 0) return false;
      }
    }
    return false;
  }

  #escapedString(start: number, firstEscape: number): boolean {
    const close = closingQuote(this.#bytes, firstEscape, this.#end);
    if (close < 0) return false;
    const from = this.#decodedLength;
    if (from + (close - start) > this.#decoded.length) {
      // Decoded text is shorter than its frame, so this grows to a frame's size and no further.
      const wider = new Uint8Array(2 * (from + close - start));
      wider.set(this.#decoded);
      this.#decoded = wider;
    }
    this.#decodedLength = decodeString(this.#bytes, start, close, this.#decoded, from);
    this.#add(JSON_STRING, -1 - from, -1 - this.#decodedLength);
    this.#at = close + 1;
    return true;
  }

  #number(): boolean {
    const bytes = this.#bytes;
    const start = this.#at;
    const first = bytes[start] === MINUS ? start + 1 : start;
    let at = this.#digitsEnd(first);
    if (at === first || (at - first > 1 && bytes[first] === ZERO)) return false;
    if (at < this.#end && bytes[at] === DOT) {
      const fraction = at + 1;
      at = this.#digitsEnd(fraction);
      if (at === fraction) return false;
    }
    if (at < this.#end && (bytes[at] | 32) === LOWER_E) {
      at++;
      if (at < this.#end && (bytes[at] === MINUS || bytes[at] === PLUS)) at++;
      const exponent = at;
      at = this.#digitsEnd(exponent);
      if (at === exponent) return false;
    }
    this.#add(JSON_NUMBER, start, at);
    this.#at = at;
    return true;
  }

  #digitsEnd(start: number): number {
    let at = start;
    while (at < this.#end && this.#bytes[at] >= ZERO && this.#bytes[at] <= NINE) at++;
    return at;
  }

  #literal(text: Uint8Array, kind: number): boolean {
    const start = this.#at;
    if (start + text.length > this.#end) return false;
    for (let i = 0; i < text.length; i++) {
      if (this.#bytes[start + i] !== text[i]) return false;
    }
    this.#add(kind, start, start + text.length);
    this.#at = start + text.length;
    return true;
  }

  #add(kind: number, start: number, end: number): number {
    const token = this.count++;
    if (token === this.kind.length) this.#grow();
    this.kind[token] = kind;
    this.start[token] = start;
    this.end[token] = end;
    this.next[token] = token + 1;
    return token;
  }

  #grow(): void {
    const capacity = 2 * this.kind.length;
    const kind = new Uint8Array(capacity);
    kind.set(this.kind);
    this.kind = kind;
    this.start = widen(this.start, capacity);
    this.end = widen(this.end, capacity);
    this.next = widen(this.next, capacity);
  }
}

function widen(column: Int32Array, capacity: number) {
  const wider = new Int32Array(capacity);
  wider.set(column);
  return wider;
}
