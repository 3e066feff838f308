/**
 * `bullion candles`: candles of one instrument as table, csv or json.
 */
import { isTimeframe, TIMEFRAME_US, TIMEFRAMES } from '#schemas/timeframe';
import {
  configOf,
  countArgument,
  exchangeArgument,
  formatArgument,
  symbolArgument,
  timeArgument,
} from '#src/commands/arguments';
import { type Arguments, defineCommand } from '#src/commands/command';
import { openState } from '#src/commands/open-state';
import { CANDLE_COLUMNS } from '#src/output/candle-columns';
import { type CandleRow, candleRow } from '#src/output/candle-row';
import { printRows } from '#src/output/standard-output';

async function run(args: Arguments): Promise<void> {
  const exchange = exchangeArgument(args);
  const { symbol, timeframe } = args.values;
  if (symbol === undefined) throw args.wrong('--symbol is missing');
  if (typeof timeframe !== 'string' || !isTimeframe(timeframe)) {
    throw args.wrong(`--timeframe must be one of ${TIMEFRAMES.join(', ')}`);
  }
  const index = TIMEFRAMES.indexOf(timeframe);
  const fromUs = timeArgument(args, 'start') ?? 0;
  const toUs = timeArgument(args, 'end') ?? Number.MAX_SAFE_INTEGER;
  const limit = countArgument(args, 'limit') ?? Number.POSITIVE_INFINITY;
  const format = formatArgument(args);

  const { store, instruments, close } = await openState(configOf(args));
  symbolArgument(args, instruments, exchange);
  const instrument = instruments.find((i) => i.exchange === exchange && i.symbol === symbol);
  function* rows(): Generator<CandleRow> {
    let left = limit;
    // Windows start on multiples of the timeframe: the first one at or after `start`.
    const lengthUs = TIMEFRAME_US[index] as number;
    const firstUs = Math.ceil(fromUs / lengthUs) * lengthUs;
    for (const record of store.candles(index, instrument!.code, firstUs, toUs)) {
      if (left-- <= 0) return;
      yield candleRow(record, instrument!);
    }
  }
  await printRows(format, CANDLE_COLUMNS, rows());
  await close();
}

export const candlesCommand = defineCommand({
  summary: 'candles of one instrument',
  usage:
    'bullion candles --exchange E --symbol S --timeframe 1m|5m|15m|30m|1h|1d [--start T] [--end T] [--limit N] [--format table|csv|json|jsonl]',
  options: ['exchange', 'symbol', 'timeframe', 'start', 'end', 'limit', 'format'],
  run,
});
