/**
 * `bullion trades`: gold trades, read back from the table's data files.
 */
import { GOLD_TRADES } from '#schemas/trade';
import {
  configOf,
  countArgument,
  formatArgument,
  optionalExchange,
  symbolArgument,
  timeArgument,
} from '#src/commands/arguments';
import { type Arguments, defineCommand } from '#src/commands/command';
import { openState } from '#src/commands/open-state';
import { filesAt } from '#src/commands/travel';
import { readTrades } from '#src/lake/table-reader';
import type { OutputColumn, OutputRow } from '#src/output/rows';
import { printRows } from '#src/output/standard-output';
import { isoMicros } from '#src/output/text';

const COLUMNS = [
  { name: 'timestamp', kind: 'time' },
  { name: 'exchange', kind: 'text' },
  { name: 'symbol', kind: 'text' },
  { name: 'trade_id', kind: 'text' },
  { name: 'price', kind: 'decimal' },
  { name: 'quantity', kind: 'decimal' },
  { name: 'currency', kind: 'text' },
  { name: 'side', kind: 'text' },
  { name: 'trade_conditions', kind: 'text' },
  { name: 'source_sequence', kind: 'integer' },
  { name: 'ingestion_timestamp', kind: 'time' },
  { name: 'platform_sequence', kind: 'decimal' },
  { name: 'vendor_data', kind: 'text' },
  { name: 'message_id', kind: 'text' },
] as const satisfies readonly OutputColumn[];

async function run(args: Arguments): Promise<void> {
  const exchange = optionalExchange(args);
  const startUs = timeArgument(args, 'start');
  const endUs = timeArgument(args, 'end');
  const limit = countArgument(args, 'limit');
  const format = formatArgument(args);
  const config = configOf(args);
  const state = await openState(config);
  const { instruments, read, close } = state;
  const symbol = symbolArgument(args, instruments, exchange);
  const files = await filesAt(args, config, state, GOLD_TRADES);
  async function* rows(): AsyncGenerator<OutputRow> {
    const filter = {
      ...(exchange !== undefined && { exchange }),
      ...(symbol !== undefined && { symbol }),
      ...(startUs !== undefined && { startUs }),
      ...(endUs !== undefined && { endUs }),
      ...(limit !== undefined && { limit }),
    };
    for await (const trade of readTrades(read, files, filter)) {
      yield {
        ...trade,
        timestamp: isoMicros(trade.timestamp),
        ingestion_timestamp: isoMicros(trade.ingestion_timestamp),
        trade_conditions: trade.trade_conditions.join(' '),
        vendor_data: Object.entries(trade.vendor_data)
          .map(([key, value]) => `${key}=${value}`)
          .join(' '),
      };
    }
  }
  await printRows(format, COLUMNS, rows());
  await close();
}

export const tradesCommand = defineCommand({
  summary: 'gold trades, from the table',
  usage:
    'bullion trades [--exchange E] [--symbol S] [--start T] [--end T] [--limit N] [--at SNAPSHOT|TIME] [--format table|csv|json|jsonl]',
  options: ['exchange', 'symbol', 'start', 'end', 'limit', 'at', 'format'],
  run,
});
