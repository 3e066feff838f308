/**
 * `bullion gaps`: the gap ledger. One row per missing id range, with the times of the trades that
 * bound it: what the exchange sent and never arrived, as far as anyone can know.
 */
import {
  configOf,
  DATA_OPTIONS,
  formatArgument,
  optionalExchange,
  readArguments,
} from '#src/commands/arguments';
import { openState } from '#src/commands/open-state';
import { formatRows, type OutputColumn } from '#src/output/rows';
import { isoMicros } from '#src/output/text';
import { gapsOf } from '#src/trades/gaps';
import { IntervalSet } from '#src/trades/interval-set';

const USAGE =
  'bullion gaps [--exchange E] [--symbol S] [--format table|csv|json|jsonl] [--json] [--data-dir DIR] [--config FILE]';

const COLUMNS = [
  { name: 'exchange', kind: 'text' },
  { name: 'symbol', kind: 'text' },
  { name: 'from_id', kind: 'integer' },
  { name: 'to_id', kind: 'integer' },
  { name: 'count', kind: 'integer' },
  { name: 'after', kind: 'time' },
  { name: 'before', kind: 'time' },
] as const satisfies readonly OutputColumn[];

async function run(argv: readonly string[]): Promise<void> {
  const args = readArguments(
    argv,
    {
      ...DATA_OPTIONS,
      exchange: { type: 'string' },
      symbol: { type: 'string' },
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
  const exchange = optionalExchange(args, USAGE);
  const format = formatArgument(args, USAGE);
  const { store, instruments, close } = await openState(configOf(args));
  const rows = instruments
    .filter((i) => exchange === undefined || i.exchange === exchange)
    .filter((i) => args.values.symbol === undefined || i.symbol === args.values.symbol)
    .flatMap((instrument) => {
      const packed = store.intervals(instrument);
      const gaps = packed === undefined ? [] : gapsOf(IntervalSet.unpack(packed));
      return gaps.map((gap) => ({
        exchange: instrument.exchange,
        symbol: instrument.symbol,
        from_id: gap.fromId,
        to_id: gap.toId,
        count: gap.count,
        after: isoMicros(gap.afterUs),
        before: isoMicros(gap.beforeUs),
      }));
    });
  for (const piece of formatRows(format, COLUMNS, rows)) process.stdout.write(piece);
  await close();
}

export const gapsCommand = { summary: 'missing trade ids, per instrument', run };
