/** Records that betray a torn read: every word after the window start is the version. */
import { CANDLE_WORDS, startRecord, WORD } from '#src/candles/record';

export function versionedRecord(version: number, windowStartUs: number): Int32Array {
  const record = new Int32Array(CANDLE_WORDS);
  startRecord(record, 0, 0, 0, windowStartUs);
  record.fill(version, WORD.openPrice);
  return record;
}

/** The version of a record; -1 when it is a mixture. */
export function versionOf(record: Int32Array): number {
  const version = record[WORD.openPrice];
  for (let w = WORD.openPrice; w < CANDLE_WORDS; w++) if (record[w] !== version) return -1;
  return version;
}
