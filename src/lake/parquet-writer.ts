/**
 * Parquet bytes from an Arrow IPC stream, by parquet-wasm: zstd, one row group a file.
 *
 * parquet-wasm consumes the table and, silently, the properties too: a second file written with
 * the same properties object would get the defaults. So properties are made anew for every file
 * from a plain layout. The memory of the wasm instance grows to the largest file and never shrinks:
 * ROWS_PER_FILE_MAX bounds it.
 */
import {
  Compression,
  EnabledStatistics,
  type Encoding,
  Table,
  type WriterProperties,
  WriterPropertiesBuilder,
  WriterVersion,
  writeParquet,
} from 'parquet-wasm';

/** More rows than this become several files. */
export const ROWS_PER_FILE_MAX = 262_144;

export interface ParquetLayout {
  /** Columns stored with this encoding; all others are dictionary-encoded. */
  readonly encodings: Readonly<Record<string, Encoding>>;
  /** Columns whose smallest and largest value would exclude no file and no row group. */
  readonly withoutStatistics: readonly string[];
}

export const DEFAULT_LAYOUT: ParquetLayout = { encodings: {}, withoutStatistics: [] };

/** `ipcStream` is copied into wasm memory; the answer is the caller's. */
export function encodeParquet(ipcStream: Uint8Array, layout: ParquetLayout): Uint8Array {
  return writeParquet(Table.fromIPCStream(ipcStream), properties(layout));
}

function properties(layout: ParquetLayout): WriterProperties {
  // Each call consumes the builder it is made on: always go on with what it returned.
  let builder = new WriterPropertiesBuilder()
    .setCreatedBy('bullion')
    .setWriterVersion(WriterVersion.V1)
    .setCompression(Compression.ZSTD)
    .setMaxRowGroupSize(ROWS_PER_FILE_MAX)
    .setStatisticsEnabled(EnabledStatistics.Chunk);
  for (const [column, encoding] of Object.entries(layout.encodings)) {
    // An encoding shows only where the dictionary is off.
    builder = builder.setColumnDictionaryEnabled(column, false).setColumnEncoding(column, encoding);
  }
  for (const column of layout.withoutStatistics) {
    builder = builder.setColumnStatisticsEnabled(column, EnabledStatistics.None);
  }
  return builder.build();
}
