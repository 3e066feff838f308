/** Rows as the text that is printed of them. */
import {
  type OutputColumn,
  type OutputFormat,
  type OutputRow,
  rowFormatter,
} from '#src/output/rows';

export function formatted(
  format: OutputFormat,
  columns: readonly OutputColumn[],
  rows: Iterable<OutputRow>,
): string {
  const formatter = rowFormatter(format, columns);
  let text = formatter.begin();
  for (const row of rows) text += formatter.row(row);
  for (const piece of formatter.end()) text += piece;
  return text;
}
