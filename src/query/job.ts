/**
 * Work for the query pool: a question about committed files, as plain data, and its answer as the
 * bytes a client gets. Nothing of a row passes through the thread that talks to clients.
 */
import type { Column } from '#schemas/schema';
import type { DataFile, DeadLetterFilter, RowFilter } from '#src/lake/table-reader';
import type { AggregationRequest } from '#src/query/aggregation';
import type { AnswerFormat } from '#src/query/answer-format';
import type { PlainRow } from '#src/query/answer-table';
import type { ComparisonRequest } from '#src/query/comparison';
import type { TradeFilter, TradeKey } from '#src/query/trade-filter';
import type { TradePageRequest } from '#src/query/trade-page';

export interface TradesQuery extends TradePageRequest {
  readonly kind: 'trades';
  readonly format: AnswerFormat;
}

export interface AggregationQuery {
  readonly kind: 'aggregation';
  readonly files: readonly DataFile[];
  readonly filter: TradeFilter;
  readonly aggregation: AggregationRequest;
  readonly format: AnswerFormat;
}

export interface ComparisonQuery {
  readonly kind: 'comparison';
  readonly files: readonly DataFile[];
  readonly filter: TradeFilter;
  readonly comparison: ComparisonRequest;
  readonly format: AnswerFormat;
}

/** Candles of a table as it was. */
export interface CandlesQuery {
  readonly kind: 'candles';
  readonly files: readonly DataFile[];
  readonly filter: RowFilter;
  readonly format: AnswerFormat;
}

export interface DeadLettersQuery {
  readonly kind: 'dead-letters';
  readonly files: readonly DataFile[];
  readonly filter: DeadLetterFilter;
  /** (error_timestamp, bronze_source, offset, record_index) of the letter before the page. */
  readonly after?: DeadLetterKey;
  readonly limit: number;
  /** Bytes of a raw record that are given; the rest is cut. */
  readonly rawBytesMax: number;
  readonly rawAs: 'base64' | 'hex';
  readonly format: AnswerFormat;
}

export interface DeadLetterKey {
  readonly timeUs: number;
  readonly source: string;
  readonly offset: number;
  readonly index: number;
}

/** One frame's bytes, as received. */
export interface RawRecordQuery {
  readonly kind: 'raw-record';
  readonly files: readonly DataFile[];
  readonly source: string;
  readonly offset: number;
}

/** The data files of a table in one of its snapshots. */
export interface SnapshotFilesQuery {
  readonly kind: 'snapshot-files';
  readonly table: string;
  readonly snapshotId: number;
}

/** The snapshots a table has. */
export interface SnapshotsQuery {
  readonly kind: 'snapshots';
  readonly tables: readonly string[];
  readonly format: AnswerFormat;
}

/** Rows there are already, in another format. */
export interface EncodeQuery {
  readonly kind: 'encode';
  readonly columns: readonly Column[];
  readonly rows: readonly PlainRow[];
  readonly format: AnswerFormat;
}

export type RowsQuery =
  | TradesQuery
  | AggregationQuery
  | ComparisonQuery
  | CandlesQuery
  | DeadLettersQuery
  | RawRecordQuery
  | SnapshotsQuery
  | EncodeQuery;

export type Query = RowsQuery | SnapshotFilesQuery;

export interface RowsAnswer {
  readonly kind: 'rows';
  readonly body: Uint8Array;
  readonly rows: number;
  /** Key of the last row, where there may be more. */
  readonly last?: TradeKey | DeadLetterKey;
}

export type QueryAnswer =
  | RowsAnswer
  | { readonly kind: 'files'; readonly files: readonly DataFile[] }
  /** A file was deleted meanwhile: its table is made of other files by now. */
  | { readonly kind: 'gone' }
  /** There is no such thing. */
  | { readonly kind: 'missing'; readonly sentence: string }
  /** Too much was asked for. */
  | { readonly kind: 'refused'; readonly sentence: string }
  /** The bytes on the disk are not those committed. */
  | { readonly kind: 'damaged'; readonly sentence: string };
