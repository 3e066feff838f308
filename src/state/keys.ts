/**
 * Keys of the state store. One B-tree; the first byte of a key names the area it belongs to.
 *
 *   identity    [1]
 *   totals      [2]
 *   instrument  [3][code u32]
 *   epoch       [4]
 *   intervals   [5]<exchange>|<symbol>
 *   candle      [6][timeframe u8][instrument u32][window start in minutes u32]
 *   pending     [7] then as candle
 *   file        [8]<path in the lake>
 *   removed     [9]<path in the lake>
 *   mark        [10]<name>\0<key>
 *   job         [11]<name of a maintenance job>
 *
 * Integers are big-endian, so byte order is number order and a range of windows is a range of keys.
 */
import { assert } from '#src/base/errors';

export const AREA = {
  identity: 1,
  totals: 2,
  instrument: 3,
  epoch: 4,
  intervals: 5,
  candle: 6,
  pending: 7,
  file: 8,
  removed: 9,
  mark: 10,
  job: 11,
} as const;

export type Area = (typeof AREA)[keyof typeof AREA];

/** One more than the largest area. */
export const AREA_COUNT = 12;

const MINUTE_US = 60_000_000;
/** LMDB refuses longer keys; paths and marks stay far below. */
const KEY_BYTES_MAX = 1978;
const UINT32_MAX = 0xffff_ffff;

/** The only key of an area with one record, and the start of any area. */
export function areaKey(area: number): Buffer {
  return Buffer.from([area]);
}

export function numberKey(area: Area, value: number): Buffer {
  const key = Buffer.allocUnsafe(5);
  key[0] = area;
  key.writeUInt32BE(value, 1);
  return key;
}

export function textKey(area: Area, text: string): Buffer {
  const key = Buffer.from(`\0${text}`);
  key[0] = area;
  assert(key.length <= KEY_BYTES_MAX, `key of ${key.length} bytes: ${text.slice(0, 100)}`);
  return key;
}

/** The text of a key made by textKey. */
export function keyText(key: Uint8Array): string {
  return Buffer.from(key.buffer, key.byteOffset + 1, key.length - 1).toString();
}

/** The smallest key above every key that starts with `prefix`, whose last byte is below 255. */
export function afterPrefix(prefix: Uint8Array): Buffer {
  const end = Buffer.from(prefix);
  const last = end.length - 1;
  assert(last >= 0 && end[last]! < 255, 'prefix cannot be followed');
  end[last]! += 1;
  return end;
}

export interface CandleKey {
  readonly timeframe: number;
  readonly instrument: number;
  readonly windowStartUs: number;
}

/** Key of a candle; `area` is candle or pending. The window start is a whole minute. */
export function candleKey(
  area: typeof AREA.candle | typeof AREA.pending,
  timeframe: number,
  instrument: number,
  windowStartUs: number,
): Buffer {
  const minutes = windowStartUs / MINUTE_US;
  assert(
    Number.isInteger(minutes) && minutes >= 0 && minutes <= UINT32_MAX,
    `window start ${windowStartUs} us is not a whole minute since 1970`,
  );
  return candleKeyAtMinute(area, timeframe, instrument, minutes);
}

/** The smallest candle key of an instrument at or after a time, whole minute or not. */
export function candleKeyFrom(timeframe: number, instrument: number, timeUs: number): Buffer {
  const minutes = Math.min(Math.max(Math.ceil(timeUs / MINUTE_US), 0), UINT32_MAX);
  return candleKeyAtMinute(AREA.candle, timeframe, instrument, minutes);
}

function candleKeyAtMinute(
  area: number,
  timeframe: number,
  instrument: number,
  minutes: number,
): Buffer {
  const key = Buffer.allocUnsafe(10);
  key[0] = area;
  key[1] = timeframe;
  key.writeUInt32BE(instrument, 2);
  key.writeUInt32BE(minutes, 6);
  return key;
}

export function parseCandleKey(key: Uint8Array): CandleKey {
  const view = new DataView(key.buffer, key.byteOffset, key.byteLength);
  return {
    timeframe: view.getUint8(1),
    instrument: view.getUint32(2),
    windowStartUs: view.getUint32(6) * MINUTE_US,
  };
}
