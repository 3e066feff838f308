/**
 * Rows of a trade file as csv frames: each row as it stands, behind a tag line that says whose it is
 * and where its columns are (src/log/frame.ts). Rows are not judged here: a bad one becomes a dead
 * letter like any other bad frame.
 */
import { EXIT, UserError } from '#src/base/errors';
import { type CsvLayout, type CsvRecordKind, csvLayout } from '#src/import/csv-layout';
import type { LineBlock } from '#src/import/line-splitter';

const COMMA = 44;
const QUOTE = 34;
const SPACE = 32;
const DELETE = 127;

/** Longest tag: a symbol, the kind and seven column indexes. Rows have to leave this much room. */
export const TAG_BYTES_MAX = 256;
const SYMBOL_BYTES_MAX = 64;

/** Stands for a symbol that cannot be written in a tag; validation will not know it. */
const UNREADABLE = Buffer.from('?');

export interface CsvFramesOptions {
  readonly kind: CsvRecordKind;
  /** Symbol given by the user. */
  readonly symbol: string | undefined;
  /** What messages call the file: `dump.zip/TRXUSDT-trades-2025-03-04.csv`. */
  readonly where: string;
}

export interface Frames {
  readonly bytes: Uint8Array;
  readonly starts: Uint32Array;
  readonly ends: Uint32Array;
  readonly count: number;
}

/** `TRXUSDT-trades-2025-03-04.csv` and the same in a zip: the dumps' naming. */
function symbolInName(where: string, kind: CsvRecordKind): string | undefined {
  for (const name of where.split('/').reverse()) {
    const match = /^([A-Z0-9]{2,32})-(trades|aggTrades)\b/.exec(name);
    if (match === null) continue;
    if (match[2] === kind) return match[1];
    throw new UserError(EXIT.data, `${where}: a file of ${match[2]} by its name, not of ${kind}`);
  }
  return undefined;
}

export class CsvFrames {
  readonly #options: CsvFramesOptions;
  #layout: CsvLayout | undefined;
  /** Symbol of all rows; undefined when each row names its own. */
  #symbol: Buffer | undefined;
  /** ` trades 0,1,2,4,5\n` */
  #tagEnd: Buffer = UNREADABLE;

  constructor(options: CsvFramesOptions) {
    if (options.symbol !== undefined && !/^[A-Z0-9]{2,32}$/.test(options.symbol)) {
      const given = JSON.stringify(options.symbol);
      throw new UserError(
        EXIT.usage,
        `the symbol must be 2 to 32 capital letters and digits, such as BTCUSDT, got ${given}`,
      );
    }
    this.#options = options;
  }

  /** The frames of a block's rows; empty lines and the header are not rows. */
  convert(block: LineBlock): Frames {
    const { bytes, count } = block;
    let row = 0;
    if (this.#layout === undefined) {
      while (row < count && block.starts[row] === block.ends[row]) row++;
      if (row === count) return { bytes, starts: block.starts, ends: block.ends, count: 0 };
      const firstLine = bytes.toString('utf8', block.starts[row], block.ends[row]);
      if (this.#begin(firstLine).hasHeader) row++;
    }
    const tagEnd = this.#tagEnd;
    const fixed = this.#symbol;
    // A symbol taken from a row is no longer than the row, nor than its limit.
    const symbolBytes = fixed?.length ?? SYMBOL_BYTES_MAX;
    const out = Buffer.allocUnsafe(bytes.length + (count - row) * (symbolBytes + tagEnd.length));
    const starts = new Uint32Array(count - row);
    const ends = new Uint32Array(count - row);
    let frames = 0;
    let at = 0;
    for (; row < count; row++) {
      const start = block.starts[row] as number;
      const end = block.ends[row] as number;
      if (start === end) continue;
      starts[frames] = at;
      const symbol = fixed ?? this.#symbolOf(bytes, start, end, block.firstLine + row);
      at += symbol.copy(out, at);
      at += tagEnd.copy(out, at);
      at += bytes.copy(out, at, start, end);
      ends[frames++] = at;
    }
    return { bytes: out, starts, ends, count: frames };
  }

  #begin(firstLine: string): CsvLayout {
    const { kind, symbol: given, where } = this.#options;
    const layout = csvLayout(firstLine, kind, where);
    if (layout.symbolColumn < 0) {
      const symbol = given ?? symbolInName(where, kind);
      if (symbol === undefined) {
        throw new UserError(
          EXIT.usage,
          `${where}: neither the file's name (SYMBOL-${kind}-DATE.csv) nor a Symbol column says which symbol this is: give it with --symbol`,
        );
      }
      this.#symbol = Buffer.from(symbol);
    }
    this.#layout = layout;
    this.#tagEnd = Buffer.from(` ${kind} ${layout.columns.join(',')}\n`);
    return layout;
  }

  /** The row's own symbol; it must be the one given, where one was given. */
  #symbolOf(bytes: Buffer, rowStart: number, rowEnd: number, line: number): Buffer {
    let start = rowStart;
    for (let column = (this.#layout as CsvLayout).symbolColumn; column > 0; column--) {
      const comma = bytes.indexOf(COMMA, start);
      if (comma < 0 || comma >= rowEnd) return UNREADABLE;
      start = comma + 1;
    }
    const comma = bytes.indexOf(COMMA, start);
    let end = comma < 0 || comma > rowEnd ? rowEnd : comma;
    if (end - start >= 2 && bytes[start] === QUOTE && bytes[end - 1] === QUOTE) {
      start++;
      end--;
    }
    const symbol = bytes.subarray(start, end);
    const { symbol: given, where } = this.#options;
    if (given !== undefined && symbol.toString('latin1') !== given) {
      const found = JSON.stringify(symbol.toString('utf8', 0, SYMBOL_BYTES_MAX));
      throw new UserError(
        EXIT.data,
        `${where}:${line}: the row is of ${found}, not of ${given}: leave out --symbol to take each row's own`,
      );
    }
    const taggable =
      symbol.length > 0 &&
      symbol.length <= SYMBOL_BYTES_MAX &&
      symbol.every((byte) => byte > SPACE && byte !== QUOTE && byte !== DELETE);
    return taggable ? symbol : UNREADABLE;
  }
}
