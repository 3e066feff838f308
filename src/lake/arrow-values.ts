/** The buffers of one column of a record batch that was read back, as numbers and bytes. */
import { type Data, type DataType, DateUnit, Type } from 'apache-arrow';
import { assert } from '#src/base/errors';

/** 32-bit words a value of a fixed-size type takes. */
export function wordsPerValue(type: DataType): number {
  switch (type.typeId) {
    case Type.Int: {
      const { bitWidth } = type as DataType & { bitWidth: number };
      assert(bitWidth >= 32, `no column has ${bitWidth}-bit integers of its own`);
      return bitWidth / 32;
    }
    case Type.Date:
      assert((type as DataType & { unit: DateUnit }).unit === DateUnit.DAY, 'a date in ms');
      return 1;
    case Type.Timestamp:
      return 2;
    case Type.Decimal:
      return 4;
    default:
      throw new Error(`no column of a compacted table is ${type}`);
  }
}

/** Value i is words[perRow * i, perRow * (i + 1)). */
export function fixedWords(data: Data): { words: Int32Array; perRow: number } {
  assertWhole(data);
  const perRow = wordsPerValue(data.type);
  const { buffer, byteOffset } = data.values as ArrayBufferView;
  return { words: new Int32Array(buffer, byteOffset, perRow * data.length), perRow };
}

/** Value i is bytes[offsets[i], offsets[i + 1]). */
export function textBytes(data: Data): { offsets: Int32Array; bytes: Uint8Array } {
  assertWhole(data);
  return { offsets: data.valueOffsets as Int32Array, bytes: data.values as Uint8Array };
}

export function isNull({ nullCount, nullBitmap }: Data, row: number): boolean {
  if (nullCount === 0) return false;
  return (((nullBitmap as Uint8Array)[row >>> 3] as number) & (1 << (row & 7))) === 0;
}

/** Slices of a batch start in the middle of their buffers; what comes from a file never does. */
function assertWhole({ offset }: Data): void {
  assert(offset === 0, `a column that starts at row ${offset} of its buffer`);
}
