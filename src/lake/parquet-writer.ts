/**
 * Parquet bytes from an Arrow IPC stream, by parquet-wasm: zstd, row groups of ROWS_PER_FILE_MAX.
 *
 * parquet-wasm consumes the table and, silently, the properties too: a second file written with
 * the same properties object would get the defaults. So properties are made anew for every file
 * from a plain layout. The memory of the wasm instance grows to the largest file and never shrinks:
 * ROWS_PER_FILE_MAX bounds it.
 */
import {
  Compression,
  EnabledStatistics,
  Encoding,
  Table,
  type WriterProperties,
  WriterPropertiesBuilder,
  WriterVersion,
  writeParquet,
} from 'parquet-wasm';
import { ROWS_PER_FILE_MAX } from '#src/lake/rows-per-file';

/** How a column is stored. */
export interface ColumnLayout {
  readonly dictionary: boolean;
  /** Without a dictionary, or once the dictionary has become too large. */
  readonly encoding: Encoding;
  /** Smallest and largest value in the footer. */
  readonly statistics: boolean;
}

export interface ParquetLayout {
  /** By column name; the parts of a list or a map cannot be named. */
  readonly columns: Readonly<Record<string, ColumnLayout>>;
  readonly others: ColumnLayout;
}

/** Few distinct values. */
export const REPEATED: ColumnLayout = {
  dictionary: true,
  encoding: Encoding.PLAIN,
  statistics: true,
};
/**
 * One value, or hardly ever another: zstd makes as little of the plain text as of dictionary codes,
 * and looking every row's value up in the dictionary takes 20 ns.
 */
export const CONSTANT: ColumnLayout = {
  dictionary: false,
  encoding: Encoding.PLAIN,
  statistics: true,
};
/** Integers, decimals and times that differ little from one row to the next. */
export const STEPS: ColumnLayout = {
  dictionary: false,
  encoding: Encoding.DELTA_BINARY_PACKED,
  statistics: true,
};
/** Text that shares its beginning with the row before. */
export const FRONT_CODED: ColumnLayout = {
  dictionary: false,
  encoding: Encoding.DELTA_BYTE_ARRAY,
  statistics: true,
};

/** Whole messages: zstd finds what repeats in them as well as any encoding would prepare it. */
export const AS_IS: ColumnLayout = {
  dictionary: false,
  encoding: Encoding.PLAIN,
  statistics: true,
};

/**
 * Without statistics: for columns whose smallest and largest value would exclude no file. They cost
 * 15 to 45 ns a row of text.
 */
export function unbounded(layout: ColumnLayout): ColumnLayout {
  return { ...layout, statistics: false };
}

/** `ipcStream` is copied into wasm memory; the answer is the caller's. */
export function encodeParquet(ipcStream: Uint8Array, layout: ParquetLayout): Uint8Array {
  return writeParquet(Table.fromIPCStream(ipcStream), properties(layout));
}

function properties({ columns, others }: ParquetLayout): WriterProperties {
  const statistics = (on: boolean) => (on ? EnabledStatistics.Chunk : EnabledStatistics.None);
  // Each call consumes the builder it is made on: always go on with what it returned.
  let builder = new WriterPropertiesBuilder()
    .setCreatedBy('bullion')
    .setWriterVersion(WriterVersion.V1)
    .setCompression(Compression.ZSTD)
    .setMaxRowGroupSize(ROWS_PER_FILE_MAX)
    .setDictionaryEnabled(others.dictionary)
    .setEncoding(others.encoding)
    .setStatisticsEnabled(statistics(others.statistics));
  for (const [name, column] of Object.entries(columns)) {
    builder = builder
      .setColumnDictionaryEnabled(name, column.dictionary)
      .setColumnEncoding(name, column.encoding)
      .setColumnStatisticsEnabled(name, statistics(column.statistics));
  }
  return builder.build();
}
