/**
 * `bullion candles`: candles of one instrument as table, csv or json.
 */
import { candleTable } from '#schemas/candle';
import { isTimeframe, TIMEFRAME_US, TIMEFRAMES, type Timeframe } from '#schemas/timeframe';
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
import { filesAt } from '#src/commands/travel';
import { readCandles, type CandleRow as TableCandle } from '#src/lake/table-reader';
import { CANDLE_COLUMNS } from '#src/output/candle-columns';
import { type CandleRow, candleRow } from '#src/output/candle-row';
import type { OutputRow } from '#src/output/rows';
import { printRows } from '#src/output/standard-output';
import { isoSeconds } from '#src/output/text';

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

  const config = configOf(args);
  const isPast = args.values.at !== undefined;
  const state = await openState(config, { readsCandles: !isPast });
  const { store, instruments, close } = state;
  symbolArgument(args, instruments, exchange);
  const instrument = instruments.find((i) => i.exchange === exchange && i.symbol === symbol);
  /** The table as it was then: the state store knows the last epoch only. */
  async function* pastCandles(): AsyncGenerator<OutputRow> {
    const files = await filesAt(args, config, state, candleTable(timeframe as Timeframe));
    const filter = { exchange, symbol: symbol as string, startUs: fromUs, endUs: toUs };
    const limited = Number.isFinite(limit) ? { ...filter, limit } : filter;
    for await (const candle of readCandles(state.read, files, limited)) yield tableRow(candle);
  }
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
  await printRows(format, CANDLE_COLUMNS, isPast ? pastCandles() : rows());
  await close();
}

function tableRow(candle: TableCandle): OutputRow {
  const { open_price, high_price, low_price, close_price, ...rest } = candle;
  return {
    ...rest,
    window_start: isoSeconds(candle.window_start),
    window_end: isoSeconds(candle.window_end),
    open: open_price,
    high: high_price,
    low: low_price,
    close: close_price,
  };
}

export const candlesCommand = defineCommand({
  summary: 'candles of one instrument',
  usage:
    'bullion candles --exchange E --symbol S --timeframe 1m|5m|15m|30m|1h|1d [--start T] [--end T] [--limit N] [--at SNAPSHOT|TIME] [--format table|csv|json|jsonl]',
  options: ['exchange', 'symbol', 'timeframe', 'start', 'end', 'limit', 'at', 'format'],
  run,
});
