/**
 * Standard output, whole and in bounded memory. Into a pipe, writes are buffered: whoever ends the
 * process before `printed` resolves cuts the output short, and whoever does not wait for the reader
 * holds all of it in memory.
 */
import { once } from 'node:events';
import {
  type OutputColumn,
  type OutputFormat,
  type OutputRow,
  rowFormatter,
} from '#src/output/rows';

/** Small pieces are joined up to this size. */
const WRITE_CHARACTERS = 64 * 1024;

/** Resolves when there is room for more. */
export async function print(text: string | Uint8Array): Promise<void> {
  if (!process.stdout.write(text)) await once(process.stdout, 'drain');
}

/** Resolves when everything printed so far has been handed to the reader. */
export function printed(): Promise<void> {
  return new Promise((resolve) => {
    process.stdout.write('', () => resolve());
  });
}

export async function printRows(
  format: OutputFormat,
  columns: readonly OutputColumn[],
  rows: Iterable<OutputRow> | AsyncIterable<OutputRow>,
): Promise<void> {
  let text = '';
  const formatter = rowFormatter(format, columns);
  text += formatter.begin();
  for await (const row of rows) {
    text += formatter.row(row);
    if (text.length < WRITE_CHARACTERS) continue;
    await print(text);
    text = '';
  }
  await print(text);
  for (const piece of formatter.end()) await print(piece);
}
