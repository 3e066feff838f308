/**
 * What goes to the query process and what comes back: plain data. The rows themselves are not part
 * of it; the query process prints them.
 */
import type { Column } from '#schemas/schema';
import type { OutputFormat } from '#src/output/rows';

export interface QueryTable {
  readonly name: string;
  readonly columns: readonly Pick<Column, 'name' | 'type'>[];
  /** Absolute paths of its data files; may be none. */
  readonly paths?: readonly string[];
  /** In their place: why it cannot be read. */
  readonly closed?: string;
}

export interface QueryRequest {
  readonly sql: string;
  readonly namespace: string;
  readonly tables: readonly QueryTable[];
  /** How rows are printed to standard output; a Parquet file is written instead where one is named. */
  readonly to: { readonly format: OutputFormat } | { readonly parquet: string };
  readonly memoryMb: number;
  readonly threads: number;
}

export type QueryOutcome =
  /** `rows` were printed or written. */
  | { readonly kind: 'done'; readonly rows: number }
  /**
   * refused: no query, not one SELECT, or not valid SQL. failed: it was valid and came to grief.
   * unreadable: a data file could not be read. unavailable: DuckDB is not installed.
   */
  | {
      readonly kind: 'refused' | 'failed' | 'unreadable' | 'unavailable';
      /** What is wrong, without a full stop. */
      readonly message: string;
      /** Whether rows had been printed by then. */
      readonly printed: boolean;
    };
