/**
 * `bullion candles`: candles of one instrument as table, csv or json.
 */
import { isTimeframe, TIMEFRAME_US, TIMEFRAMES } from '#schemas/timeframe';
import { EXIT, UserError } from '#src/base/errors';
import {
  configOf,
  countArgument,
  DATA_OPTIONS,
  exchangeArgument,
  formatArgument,
  readArguments,
  timeArgument,
  usageError,
} from '#src/commands/arguments';
import { openState } from '#src/commands/open-state';
import { CANDLE_COLUMNS } from '#src/output/candle-columns';
import { type CandleRow, candleRow } from '#src/output/candle-row';
import { formatRows } from '#src/output/rows';

const USAGE =
  'bullion candles --exchange E --symbol S --timeframe 1m|5m|15m|30m|1h|1d [--start T] [--end T] ' +
  '[--limit N] [--format table|csv|json|jsonl] [--json] [--data-dir DIR] [--config FILE]';

async function run(argv: readonly string[]): Promise<void> {
  const args = readArguments(
    argv,
    {
      ...DATA_OPTIONS,
      exchange: { type: 'string' },
      symbol: { type: 'string' },
      timeframe: { type: 'string' },
      start: { type: 'string' },
      end: { type: 'string' },
      limit: { type: 'string' },
      format: { type: 'string' },
      json: { type: 'boolean' },
      help: { type: 'boolean' },
    },
    USAGE,
  );
  if (args.values.help === true) {
    process.stdout.write(`usage: ${USAGE}\n`);
    return;
  }
  const exchange = exchangeArgument(args, USAGE);
  const { symbol, timeframe } = args.values;
  if (symbol === undefined) throw usageError('--symbol is missing', USAGE);
  if (typeof timeframe !== 'string' || !isTimeframe(timeframe)) {
    throw usageError(`--timeframe must be one of ${TIMEFRAMES.join(', ')}`, USAGE);
  }
  const index = TIMEFRAMES.indexOf(timeframe);
  const fromUs = timeArgument(args, 'start', USAGE) ?? 0;
  const toUs = timeArgument(args, 'end', USAGE) ?? Number.MAX_SAFE_INTEGER;
  const limit = countArgument(args, 'limit', USAGE) ?? Number.POSITIVE_INFINITY;
  const format = formatArgument(args, USAGE);

  const { store, instruments, close } = await openState(configOf(args));
  const instrument = instruments.find((i) => i.exchange === exchange && i.symbol === symbol);
  if (instrument === undefined) {
    const known = instruments.filter((i) => i.exchange === exchange).map((i) => i.symbol);
    await close();
    throw new UserError(
      EXIT.usage,
      `--symbol ${symbol} is not an instrument of ${exchange} here; there are ${known.join(', ')}`,
    );
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
  for (const piece of formatRows(format, CANDLE_COLUMNS, rows())) process.stdout.write(piece);
  await close();
}

export const candlesCommand = { summary: 'candles of one instrument', run };
