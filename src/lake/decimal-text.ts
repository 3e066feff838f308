/** Whole numbers as ASCII digits, straight into a UTF-8 buffer: four digits a table look-up. */

/** The text of 0000 to 9999, four bytes each. */
const DIGITS_4 = new Uint8Array(40_000);
for (let at = 0, value = 0; value < 10_000; value++) {
  for (let unit = 1_000; unit > 0; unit = (unit / 10) | 0) {
    DIGITS_4[at++] = 0x30 + (((value / unit) | 0) % 10);
  }
}

const TEN_8 = 100_000_000;

/** Longest text this file writes: 2^53 has 16 digits. */
export const DIGITS_MAX = 16;

/** Writes 0 <= value < 2^53 at `at`; answers where the text ends. */
export function writeDecimal(bytes: Uint8Array, at: number, value: number): number {
  if (value < TEN_8) return writeEight(bytes, at, value | 0);
  const high = Math.floor(value / TEN_8);
  const low = (value - high * TEN_8) | 0;
  const end = writeEight(bytes, at, high | 0);
  const lowHigh = (low / 10_000) | 0;
  writeFour(bytes, end, lowHigh);
  writeFour(bytes, end + 4, low - lowHigh * 10_000);
  return end + 8;
}

/** Up to eight digits, without leading zeros. */
function writeEight(bytes: Uint8Array, at: number, value: number): number {
  if (value < 10_000) return writeShort(bytes, at, value);
  const high = (value / 10_000) | 0;
  const end = writeShort(bytes, at, high);
  writeFour(bytes, end, value - high * 10_000);
  return end + 4;
}

function writeFour(bytes: Uint8Array, at: number, value: number): void {
  const from = 4 * value;
  bytes[at] = DIGITS_4[from];
  bytes[at + 1] = DIGITS_4[from + 1];
  bytes[at + 2] = DIGITS_4[from + 2];
  bytes[at + 3] = DIGITS_4[from + 3];
}

/** Up to four digits, without leading zeros. */
function writeShort(bytes: Uint8Array, at: number, value: number): number {
  const digits = value < 10 ? 1 : value < 100 ? 2 : value < 1000 ? 3 : 4;
  const from = 4 * value + 4 - digits;
  for (let i = 0; i < digits; i++) bytes[at + i] = DIGITS_4[from + i];
  return at + digits;
}
