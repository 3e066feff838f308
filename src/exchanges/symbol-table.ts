/**
 * Native symbol (bytes) to instrument code: a hash table with open addressing over the symbols of
 * one exchange, built once, read without making a string. A hit is confirmed byte by byte.
 */
import type { Instrument } from '#schemas/instrument';
import { assert } from '#src/base/errors';

const EMPTY = -1;
const QUOTE = 34;

function hashOf(bytes: Uint8Array, start: number, end: number): number {
  let hash = 0;
  for (let at = start; at < end; at++) hash = (Math.imul(hash, 31) + bytes[at]) | 0;
  return hash;
}

export class SymbolTable {
  /** Index of the symbol that sits in each slot. */
  readonly #slots: Int32Array;
  readonly #mask: number;
  readonly #symbols: readonly Uint8Array[];
  readonly #codes: Int32Array;

  constructor(instruments: readonly Instrument[]) {
    this.#symbols = instruments.map(({ nativeSymbol }) => Buffer.from(nativeSymbol, 'utf8'));
    this.#codes = Int32Array.from(instruments, ({ code }) => code);
    // At most a quarter full, so that a probe seldom meets another symbol.
    const size = 2 ** Math.ceil(Math.log2(4 * instruments.length + 1));
    this.#slots = new Int32Array(size).fill(EMPTY);
    this.#mask = size - 1;
    this.#symbols.forEach((symbol, index) => {
      const duplicate = this.find(symbol, 0, symbol.length) >= 0;
      assert(!duplicate, `symbol ${instruments[index].nativeSymbol} is listed twice`);
      let slot = this.#slotOf(hashOf(symbol, 0, symbol.length));
      while (this.#slots[slot] !== EMPTY) slot = (slot + 1) & this.#mask;
      this.#slots[slot] = index;
    });
  }

  /** Code of the instrument whose native symbol is [start, end), or -1. */
  find(bytes: Uint8Array, start: number, end: number): number {
    return this.#lookUp(bytes, start, end, hashOf(bytes, start, end));
  }

  /** Reads the symbol that starts at `start` and ends at a quote: puts its code at index i of `out`
   * and answers where the quote is, or -1. */
  scan(bytes: Uint8Array, start: number, out: Int32Array, i: number): number {
    let at = start;
    let hash = 0;
    let byte = bytes[at];
    // Every byte of a symbol is above the quote; a symbol with another one is left to find().
    while (byte > QUOTE) {
      hash = (Math.imul(hash, 31) + byte) | 0;
      byte = bytes[++at];
    }
    const code = this.#lookUp(bytes, start, at, hash);
    if (code < 0 || byte !== QUOTE) return -1;
    out[i] = code;
    return at;
  }

  #lookUp(bytes: Uint8Array, start: number, end: number, hash: number): number {
    let slot = this.#slotOf(hash);
    for (;;) {
      const index = this.#slots[slot];
      if (index === EMPTY) return -1;
      const symbol = this.#symbols[index];
      if (symbol.length === end - start) {
        let i = 0;
        while (i < symbol.length && bytes[start + i] === symbol[i]) i++;
        if (i === symbol.length) return this.#codes[index];
      }
      slot = (slot + 1) & this.#mask;
    }
  }

  #slotOf(hash: number): number {
    return (hash ^ (hash >>> 15)) & this.#mask;
  }
}
