/**
 * Reads a file for `bullion import` as raw frames, in batches.
 *
 *   frames                One recorded WebSocket frame a line.
 *   binance-trades-csv    Rows of a trades dump or of a recorder, with or without a header.
 *   binance-aggtrades-csv The same for aggregate trades.
 *
 * Each may be packed in a .zip (of the csv formats, its .csv entries). Empty lines are no frames. A
 * line no frame could hold is in the batch's `refused`; everything else is passed on as it stands.
 */
import { CsvFrames, type Frames, TAG_BYTES_MAX } from '#src/import/csv-frames';
import type { ImportBatch } from '#src/import/import-batch';
import { type LineBlock, LineSplitter } from '#src/import/line-splitter';
import { openSource, type SourcePart } from '#src/import/source-file';
import { FRAME_BYTES_MAX, KIND_CSV, KIND_IMPORT } from '#src/log/frame';

export const IMPORT_FORMATS = ['frames', 'binance-trades-csv', 'binance-aggtrades-csv'] as const;
export type ImportFormat = (typeof IMPORT_FORMATS)[number];

export function isImportFormat(text: string): text is ImportFormat {
  return (IMPORT_FORMATS as readonly string[]).includes(text);
}

export interface ImportOptions {
  readonly path: string;
  readonly format: ImportFormat;
  /** Symbol of all rows of a csv file, where neither its name nor a column says so. */
  readonly symbol?: string;
}

export interface ImportSource {
  /** Bytes to read, uncompressed. */
  readonly bytesTotal: number;
  /** To be read once; leaving the loop early closes the file. */
  readonly batches: AsyncGenerator<ImportBatch>;
}

type Converter = (block: LineBlock) => Frames;

/** Lines as they are, without the empty ones. */
function linesAsFrames(block: LineBlock): Frames {
  const starts = new Uint32Array(block.count);
  const ends = new Uint32Array(block.count);
  let count = 0;
  for (let i = 0; i < block.count; i++) {
    if (block.starts[i] === block.ends[i]) continue;
    starts[count] = block.starts[i] as number;
    ends[count++] = block.ends[i] as number;
  }
  return { bytes: block.bytes, starts, ends, count };
}

function converter({ format, symbol }: ImportOptions, where: string): Converter {
  if (format === 'frames') return linesAsFrames;
  const kind = format === 'binance-trades-csv' ? 'trades' : 'aggTrades';
  const csv = new CsvFrames({ kind, symbol, where });
  return (block) => csv.convert(block);
}

async function* blocks(part: SourcePart, lineBytesMax: number) {
  const splitter = new LineSplitter(lineBytesMax);
  for await (const chunk of part.chunks()) {
    yield { block: splitter.push(chunk), bytesRead: chunk.length };
  }
  yield { block: splitter.end(), bytesRead: 0 };
}

/** Opens the file; a missing or unsuitable one is a UserError here, a bad line one while reading. */
export async function openImport(
  options: ImportOptions,
  open: typeof openSource = openSource,
): Promise<ImportSource> {
  const isCsv = options.format !== 'frames';
  const accepts = (name: string): boolean => !isCsv || name.toLowerCase().endsWith('.csv');
  const source = await open(options.path, accepts);
  const lineBytesMax = isCsv ? FRAME_BYTES_MAX - TAG_BYTES_MAX : FRAME_BYTES_MAX;

  async function* batches(): AsyncGenerator<ImportBatch> {
    let bytesRead = 0;
    try {
      for (const part of source.parts) {
        const convert = converter(options, part.where);
        for await (const { block, bytesRead: more } of blocks(part, lineBytesMax)) {
          bytesRead += more;
          const refused = block.oversize.map((o) => ({ file: part.where, ...o }));
          yield { kind: isCsv ? KIND_CSV : KIND_IMPORT, ...convert(block), bytesRead, refused };
        }
      }
    } finally {
      source.close();
    }
  }
  return { bytesTotal: source.bytesTotal, batches: batches() };
}
