/**
 * Prints rows: as a table for people, CSV for spreadsheets and scripts, JSON for programs. The same
 * rows give the same bytes, whatever the locale, time zone or terminal.
 *
 *   table  Columns as wide as their widest value, numbers to the right. Holds all rows in memory.
 *          Control characters in text are shown as \xNN, so a value cannot drive the terminal.
 *   csv    RFC 4180 quoting, a header line, lines end with LF. A free-text value that a spreadsheet
 *          would run as a formula (it starts with = + - @, tab or CR) gets a ' in front; numbers,
 *          times and decimals never do. null is an empty field, an empty text is "".
 *   json   One array with one object a line: valid JSON as a whole and easy to cut by lines.
 *   jsonl  One object a line and nothing else, for pipes; nothing at all where there are no rows.
 *          Decimals and times are strings, never floats; integers, booleans and what was computed
 *          as a float are JSON's own (a float that is no number is a string: "NaN").
 */
import { assert } from '#src/base/errors';

export const OUTPUT_FORMATS = ['table', 'csv', 'json', 'jsonl'] as const;
export type OutputFormat = (typeof OUTPUT_FORMATS)[number];

export function isOutputFormat(text: string): text is OutputFormat {
  return (OUTPUT_FORMATS as readonly string[]).includes(text);
}

export interface OutputColumn {
  readonly name: string;
  /**
   * `text` is free text, possibly from outside; `decimal` and `time` are text we formatted; `json`
   * is the text of a list or an object.
   */
  readonly kind: 'text' | 'integer' | 'decimal' | 'time' | 'boolean' | 'float' | 'json';
}

export type OutputValue = string | number | bigint | boolean | null | undefined;
export type OutputRow = Readonly<Record<string, OutputValue>>;

type Kind = OutputColumn['kind'];

/** The value as text; null and undefined (no value) are undefined. */
function plain(value: OutputValue, { name, kind }: OutputColumn): string | undefined {
  if (value === null || value === undefined) return undefined;
  const type = TYPE[kind];
  const fits =
    kind === 'integer'
      ? typeof value === 'bigint' || Number.isSafeInteger(value)
      : typeof value === type;
  assert(fits, `column ${name} (${kind}) got ${typeof value} ${String(value)}`);
  return String(value);
}

const TYPE: Readonly<Record<Kind, string>> = {
  text: 'string',
  integer: 'number',
  decimal: 'string',
  time: 'string',
  boolean: 'boolean',
  float: 'number',
  json: 'string',
};

const FORMULA = /^[=+\-@\t\r]/;

function csvField(value: OutputValue, column: OutputColumn): string {
  let text = plain(value, column);
  if (text === undefined) return '';
  if (column.kind === 'text' && FORMULA.test(text)) text = `'${text}`;
  return text === '' || /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** Rows in, text out: the pieces of `begin`, of every `row` and of `end`, in this order. */
export interface RowFormatter {
  begin(): string;
  row(row: OutputRow): string;
  end(): Iterable<string>;
}

function csv(columns: readonly OutputColumn[]): RowFormatter {
  const header = columns.map((c) => csvField(c.name, { name: c.name, kind: 'text' }));
  return {
    begin: () => `${header.join(',')}\n`,
    row: (row) => `${columns.map((c) => csvField(row[c.name], c)).join(',')}\n`,
    end: () => [],
  };
}

function jsonValue(value: OutputValue, column: OutputColumn): string {
  const text = plain(value, column);
  if (text === undefined) return 'null';
  return isBare(value, column) ? text : JSON.stringify(text);
}

function isBare(value: OutputValue, { kind }: OutputColumn): boolean {
  if (kind === 'float') return Number.isFinite(value);
  return kind === 'integer' || kind === 'boolean' || kind === 'json';
}

function jsonObject(columns: readonly OutputColumn[], row: OutputRow): string {
  const fields = columns.map((c) => `${JSON.stringify(c.name)}:${jsonValue(row[c.name], c)}`);
  return `{${fields.join(',')}}`;
}

function jsonl(columns: readonly OutputColumn[]): RowFormatter {
  return { begin: () => '', row: (row) => `${jsonObject(columns, row)}\n`, end: () => [] };
}

function json(columns: readonly OutputColumn[]): RowFormatter {
  let before = '[\n';
  return {
    begin: () => '',
    row(row) {
      const piece = `${before}${jsonObject(columns, row)}`;
      before = ',\n';
      return piece;
    },
    end: () => [before === '[\n' ? '[]\n' : '\n]\n'],
  };
}

/** Invisible, line-breaking and direction-changing characters would break the table's grid. */
const UNPRINTABLE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu;

function escaped(character: string): string {
  const code = character.codePointAt(0) as number;
  return code < 256 ? `\\x${code.toString(16).padStart(2, '0')}` : `\\u{${code.toString(16)}}`;
}

function toTheRight(kind: Kind): boolean {
  return kind === 'integer' || kind === 'decimal' || kind === 'float';
}

function table(columns: readonly OutputColumn[]): RowFormatter {
  const lines = [columns.map((c) => c.name.replace(UNPRINTABLE, escaped))];
  return {
    begin: () => '',
    row(row) {
      const cell = (c: OutputColumn): string => plain(row[c.name], c) ?? '';
      lines.push(columns.map((c) => cell(c).replace(UNPRINTABLE, escaped)));
      return '';
    },
    end: () => tableLines(columns, lines),
  };
}

function* tableLines(
  columns: readonly OutputColumn[],
  lines: readonly (readonly string[])[],
): Generator<string> {
  const widths = columns.map((_, i) =>
    lines.reduce((width, line) => Math.max(width, [...(line[i] as string)].length), 0),
  );
  for (const [n, line] of lines.entries()) {
    const cells = line.map((text, i) => {
      const padding = ' '.repeat((widths[i] as number) - [...text].length);
      return toTheRight((columns[i] as OutputColumn).kind) ? padding + text : text + padding;
    });
    yield `${cells.join('  ').trimEnd()}\n`;
    if (n === 0) yield `${widths.map((width) => '-'.repeat(width)).join('  ')}\n`;
  }
}

/** Rows as pieces of text, to be written one after the other; csv and json stream. */
export function rowFormatter(format: OutputFormat, columns: readonly OutputColumn[]): RowFormatter {
  return { table, csv, json, jsonl }[format](columns);
}
