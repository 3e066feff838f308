/** Dead letters by (time, exchange, offset, index), a page at a time, and one of them as it came. */
import { type DeadLetterRecord, type ReadFile, readDeadLetters } from '#src/lake/table-reader';
import type { AnswerTable, PlainRow } from '#src/query/answer-table';
import { DEAD_LETTER_COLUMNS } from '#src/query/dead-letter-columns';
import type { DeadLetterKey, DeadLettersQuery, RawRecordQuery } from '#src/query/job';

function keyOf(letter: DeadLetterRecord): DeadLetterKey {
  return {
    timeUs: letter.error_timestamp,
    source: letter.bronze_source,
    offset: letter.offset,
    index: letter.record_index,
  };
}

function compare(a: DeadLetterKey, b: DeadLetterKey): number {
  return (
    a.timeUs - b.timeUs ||
    (a.source < b.source ? -1 : a.source > b.source ? 1 : 0) ||
    a.offset - b.offset ||
    a.index - b.index
  );
}

export async function deadLetterPage(
  read: ReadFile,
  { files, filter, after, limit, rawBytesMax, rawAs }: DeadLettersQuery,
): Promise<{ table: AnswerTable; last: DeadLetterKey | undefined }> {
  const startUs = Math.max(filter.startUs ?? 0, after?.timeUs ?? 0);
  // Letters of one time come together, in the order of their files: sorted here, time by time.
  let tied: DeadLetterRecord[] = [];
  const page: DeadLetterRecord[] = [];
  const take = (): void => {
    const more = tied
      .filter((letter) => after === undefined || compare(keyOf(letter), after) > 0)
      .sort((a, b) => compare(keyOf(a), keyOf(b)));
    page.push(...more.slice(0, limit - page.length));
    tied = [];
  };
  for await (const letter of readDeadLetters(read, files, { ...filter, startUs })) {
    if (tied[0] !== undefined && tied[0].error_timestamp !== letter.error_timestamp) take();
    if (page.length >= limit) break;
    tied.push(letter);
  }
  take();
  const rows = page.map(
    ({ raw_record, dlq_date: _, ...rest }): PlainRow => ({
      ...rest,
      raw_bytes: raw_record.byteLength,
      raw_record: Buffer.from(raw_record.subarray(0, rawBytesMax)).toString(rawAs),
    }),
  );
  const end = page.at(-1);
  const last = page.length === limit && end !== undefined ? keyOf(end) : undefined;
  return { table: { columns: DEAD_LETTER_COLUMNS, rows }, last };
}

export async function rawRecord(
  read: ReadFile,
  { files, source, offset }: RawRecordQuery,
): Promise<Uint8Array | undefined> {
  for await (const letter of readDeadLetters(read, files, { exchange: source })) {
    if (letter.offset === offset) return letter.raw_record;
  }
  return undefined;
}
