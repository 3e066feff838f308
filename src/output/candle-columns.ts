/** Columns of a candle listing, in the order scripts rely on. */
import type { OutputColumn } from '#src/output/rows';

export const CANDLE_COLUMNS = [
  { name: 'window_start', kind: 'time' },
  { name: 'open', kind: 'decimal' },
  { name: 'high', kind: 'decimal' },
  { name: 'low', kind: 'decimal' },
  { name: 'close', kind: 'decimal' },
  { name: 'volume', kind: 'decimal' },
  { name: 'trade_count', kind: 'integer' },
  { name: 'vwap', kind: 'decimal' },
  { name: 'quote_volume', kind: 'decimal' },
  { name: 'first_trade_id', kind: 'integer' },
  { name: 'last_trade_id', kind: 'integer' },
  { name: 'revision', kind: 'integer' },
  { name: 'is_final', kind: 'boolean' },
  { name: 'is_complete', kind: 'boolean' },
] as const satisfies readonly OutputColumn[];
