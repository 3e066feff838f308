/** Rows of a table as plain objects, typed by its literal in schemas/*. */
import type { Column, ColumnType, TableSchema } from '#schemas/schema';

/**
 * Decimals are exact text at full scale (`0.10000000`), times are microseconds since the epoch,
 * dates `2026-11-23`. A long is a number: ids, counts and sequences are below 2^53. The one that
 * may not be, platform_sequence, is text.
 */
type Value<T extends ColumnType> = T extends 'int' | 'long' | 'timestamptz'
  ? number
  : T extends 'boolean'
    ? boolean
    : T extends 'binary'
      ? Uint8Array
      : T extends { list: 'string' }
        ? string[]
        : T extends { map: readonly ['string', 'string'] }
          ? Record<string, string>
          : string;

type Cell<C extends Column> = C['name'] extends 'platform_sequence'
  ? string
  : C['required'] extends true
    ? Value<C['type']>
    : Value<C['type']> | null;

export type RowOf<T extends TableSchema> = {
  readonly [C in T['columns'][number] as C['name']]: Cell<C>;
};
