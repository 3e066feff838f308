/**
 * What a table is: named, documented, typed columns with stable field ids.
 *
 * One literal per table (trade.ts, candle.ts, dead-letter.ts) drives the TypeScript types, the Arrow
 * and Parquet columns and the API documents. Field ids are Apache Iceberg field ids: they never
 * change and are never reused, because data files refer to columns by id, not by name.
 */

/** A column type in Iceberg's own spelling; list and map carry the field ids of their parts. */
export type ColumnType =
  | 'int'
  | 'long'
  | 'boolean'
  | 'string'
  | 'binary'
  | 'date'
  | 'timestamptz'
  | `decimal(${number}, ${number})`
  | { readonly list: 'string'; readonly elementId: number }
  | {
      readonly map: readonly ['string', 'string'];
      readonly keyId: number;
      readonly valueId: number;
    };

export interface Column {
  readonly id: number;
  readonly name: string;
  readonly type: ColumnType;
  readonly required: boolean;
  readonly doc: string;
}

export interface TableSchema {
  readonly doc: string;
  readonly columns: readonly Column[];
  /** Names of the columns whose values name the partition folder, in folder order. */
  readonly partitionBy: readonly string[];
  /** Names of the columns a data file is sorted by. */
  readonly sortedBy: readonly string[];
}

/** Keeps the literal's exact types and checks its shape. */
export function defineTable<const T extends TableSchema>(table: T): T {
  return table;
}
