/**
 * Writes JSON text into a buffer byte by byte: fixed pieces, whole numbers, exact decimals, times.
 *
 * The renderers of trade frames are built on it. It allocates nothing per frame; the caller makes
 * sure of the room. A decimal is a whole number of units and a count of decimals (63551.02 is
 * 6355102 with 2), so its text is exact.
 */
const ZERO = 48;
const POINT = 46;

/** "00" to "99", two bytes each. */
const PAIRS = new Uint8Array(200);
for (let i = 0; i < 100; i++) {
  PAIRS[2 * i] = ZERO + Math.floor(i / 10);
  PAIRS[2 * i + 1] = ZERO + (i % 10);
}

const POWER = [1, 10, 100, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8] as const;

const HEX = new Uint8Array(512);
for (let i = 0; i < 256; i++) {
  const text = i.toString(16).padStart(2, '0');
  HEX[2 * i] = text.charCodeAt(0);
  HEX[2 * i + 1] = text.charCodeAt(1);
}

export function piece(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

export class TextWriter {
  bytes: Uint8Array;
  at = 0;
  /** `YYYY-MM-DDTHH:MM:SS` of the second last written. */
  #second = -1;
  readonly #secondText = new Uint8Array(19);

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }

  piece(text: Uint8Array): void {
    const { bytes } = this;
    let { at } = this;
    const { length } = text;
    // Below about 40 bytes a loop is faster than the call into the engine that `set` makes.
    if (length > 40) bytes.set(text, at);
    else for (let i = 0; i < length; i++) bytes[at + i] = text[i] as number;
    at += length;
    this.at = at;
  }

  /** A whole number, 0 <= value < 2^53. */
  integer(value: number): void {
    if (value < 100_000_000) {
      let digits = 1;
      while (digits < 8 && value >= (POWER[digits] as number)) digits++;
      this.#digits(value, digits);
      return;
    }
    const high = Math.floor(value / 100_000_000);
    this.integer(high);
    this.#digits(value - high * 100_000_000, 8);
  }

  /** Exactly `count` digits of a value below 10^8. */
  #digits(value: number, count: number): void {
    const { bytes, at } = this;
    let rest = value | 0;
    let end = at + count;
    while (end - at >= 2) {
      const next = (rest / 100) | 0;
      const pair = 2 * (rest - next * 100);
      bytes[--end] = PAIRS[pair + 1] as number;
      bytes[--end] = PAIRS[pair] as number;
      rest = next;
    }
    if (end > at) bytes[at] = ZERO + rest;
    this.at = at + count;
  }

  /** `units` with `decimals` decimals (at most 8), shown with `shown` >= decimals of them. */
  decimal(units: number, decimals: number, shown: number): void {
    const scale = POWER[decimals] as number;
    const whole = Math.floor(units / scale);
    this.integer(whole);
    if (shown === 0) return;
    this.bytes[this.at++] = POINT;
    this.#digits((units - whole * scale) * (POWER[shown - decimals] as number), shown);
  }

  /** The same without trailing zeros, and without the point when nothing follows it. */
  shortDecimal(units: number, decimals: number): void {
    const scale = POWER[decimals] as number;
    const whole = Math.floor(units / scale);
    this.integer(whole);
    let fraction = (units - whole * scale) | 0;
    if (fraction === 0) return;
    let shown = decimals;
    while (fraction % 10 === 0) {
      fraction = (fraction / 10) | 0;
      shown--;
    }
    this.bytes[this.at++] = POINT;
    this.#digits(fraction, shown);
  }

  /** `2026-07-07T23:00:04.585581Z`. */
  time(timeUs: number): void {
    const second = Math.floor(timeUs / 1e6);
    if (second !== this.#second) {
      this.#second = second;
      const text = new Date(second * 1000).toISOString();
      for (let i = 0; i < 19; i++) this.#secondText[i] = text.charCodeAt(i);
    }
    const text = this.#secondText;
    const { bytes, at } = this;
    for (let i = 0; i < 19; i++) bytes[at + i] = text[i] as number;
    bytes[at + 19] = POINT;
    this.at = at + 20;
    this.#digits(timeUs - second * 1e6, 6);
    bytes[this.at++] = 90; // Z
  }

  /** 32 bits as 8 lower-case hex digits. */
  hex32(value: number): void {
    for (let shift = 24; shift >= 0; shift -= 8) {
      const pair = 2 * ((value >>> shift) & 255);
      this.bytes[this.at++] = HEX[pair] as number;
      this.bytes[this.at++] = HEX[pair + 1] as number;
    }
  }

  hex16(value: number): void {
    for (let shift = 8; shift >= 0; shift -= 8) {
      const pair = 2 * ((value >>> shift) & 255);
      this.bytes[this.at++] = HEX[pair] as number;
      this.bytes[this.at++] = HEX[pair + 1] as number;
    }
  }
}
