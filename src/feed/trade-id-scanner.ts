/**
 * Reads (symbol, trade id) pairs out of a trade frame, straight from its bytes.
 *
 * Ingest does not parse trades; it only wants to know whether the ids it sees run without holes, to
 * ask the REST API for what is missing. So this looks for two keys and nothing else, allocates
 * nothing and costs about a nanosecond per byte. It is a hint, not a judgement: whatever a hostile
 * frame makes it believe can cost a needless request or miss a useful one, never change a trade.
 *
 * The keys may come in either order, once per trade: a pair is complete when both have been seen.
 */
const QUOTE = 0x22;
const COLON = 0x3a;
const SPACE = 0x20;
const ZERO = 0x30;
const NINE = 0x39;
/** Ids from 2^53 on are not exact in a number; no exchange is near. */
const ID_MAX = Number.MAX_SAFE_INTEGER;

export interface TradeKeys {
  /** JSON key of the symbol, without quotes. */
  readonly symbol: string;
  /** JSON key of the trade id, without quotes. */
  readonly id: string;
  /** A frame carries one trade: the rest of it need not be looked at once both keys are found. */
  readonly isSingle: boolean;
}

/** FNV-1a over the symbol's bytes. */
function hashBytes(bytes: Uint8Array, from: number, to: number): number {
  let hash = 0x811c9dc5;
  for (let i = from; i < to; i++) hash = Math.imul(hash ^ (bytes[i] as number), 0x01000193);
  return hash >>> 0;
}

export class TradeIdScanner {
  readonly #symbolKey: Uint8Array;
  readonly #idKey: Uint8Array;
  readonly #isSingle: boolean;
  readonly #symbols: readonly Uint8Array[];
  /** Open addressing: index of a symbol plus 1, or 0. */
  readonly #table: Int32Array;
  readonly #found: (index: number, id: number) => void;
  /** End of the value read last; saves returning a pair. */
  #end = 0;

  /** `found` gets the index in `symbols` of each pair's symbol; other symbols are passed over. */
  constructor(
    keys: TradeKeys,
    symbols: readonly string[],
    found: (index: number, id: number) => void,
  ) {
    const encoder = new TextEncoder();
    this.#symbolKey = encoder.encode(keys.symbol);
    this.#idKey = encoder.encode(keys.id);
    this.#isSingle = keys.isSingle;
    this.#symbols = symbols.map((symbol) => encoder.encode(symbol));
    this.#found = found;
    let size = 16;
    while (size < 4 * symbols.length) size *= 2;
    this.#table = new Int32Array(size);
    this.#symbols.forEach((bytes, index) => {
      let slot = hashBytes(bytes, 0, bytes.length) & (size - 1);
      while (this.#table[slot] !== 0) slot = (slot + 1) & (size - 1);
      this.#table[slot] = index + 1;
    });
  }

  scan(frame: Uint8Array): void {
    const last = frame.length - 1;
    let index = -1;
    let id = -1;
    let hasSymbol = false;
    for (let i = 0; i < last; i++) {
      if (frame[i] !== QUOTE) continue;
      let value = valueOfKey(frame, i + 1, this.#symbolKey);
      if (value !== -1) {
        if (frame[value] !== QUOTE) continue;
        index = this.#readSymbol(frame, value + 1);
        hasSymbol = true;
      } else {
        value = valueOfKey(frame, i + 1, this.#idKey);
        if (value === -1) continue;
        id = this.#readId(frame, value);
      }
      i = this.#end;
      if (!hasSymbol || id === -1) continue;
      if (index !== -1) this.#found(index, id);
      if (this.#isSingle) return;
      hasSymbol = false;
      id = -1;
    }
  }

  #readSymbol(frame: Uint8Array, from: number): number {
    let to = from;
    while (to < frame.length && frame[to] !== QUOTE) to++;
    this.#end = to;
    const mask = this.#table.length - 1;
    let slot = hashBytes(frame, from, to) & mask;
    for (let entry = this.#table[slot] as number; entry !== 0; ) {
      if (equalBytes(this.#symbols[entry - 1] as Uint8Array, frame, from, to)) return entry - 1;
      slot = (slot + 1) & mask;
      entry = this.#table[slot] as number;
    }
    return -1;
  }

  /** Digits, bare or quoted; -1 when there are none or too many. */
  #readId(frame: Uint8Array, from: number): number {
    let at = frame[from] === QUOTE ? from + 1 : from;
    const first = at;
    let id = 0;
    for (; at < frame.length; at++) {
      const digit = frame[at] as number;
      if (digit < ZERO || digit > NINE) break;
      id = id * 10 + (digit - ZERO);
    }
    // A closing quote must be stepped over, or the loop would take it for the start of a key.
    this.#end = frame[at] === QUOTE ? at : at - 1;
    return at === first || id > ID_MAX ? -1 : id;
  }
}

function equalBytes(bytes: Uint8Array, frame: Uint8Array, from: number, to: number): boolean {
  if (bytes.length !== to - from) return false;
  for (let i = 0; i < bytes.length; i++) if (bytes[i] !== frame[from + i]) return false;
  return true;
}

/** Index of the value behind `key":` at `from`, or -1 when something else is there. */
function valueOfKey(frame: Uint8Array, from: number, key: Uint8Array): number {
  for (let i = 0; i < key.length; i++) if (frame[from + i] !== key[i]) return -1;
  let at = from + key.length;
  if (frame[at] !== QUOTE) return -1;
  at++;
  while (frame[at] === SPACE) at++;
  if (frame[at] !== COLON) return -1;
  at++;
  while (frame[at] === SPACE) at++;
  return at;
}
