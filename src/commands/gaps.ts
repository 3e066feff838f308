/**
 * `bullion gaps`: the gap ledger. One row per missing id range, with the times of the trades that
 * bound it: what the exchange sent and never arrived, as far as anyone can know.
 */
import {
  configOf,
  formatArgument,
  optionalExchange,
  symbolArgument,
} from '#src/commands/arguments';
import { type Arguments, defineCommand } from '#src/commands/command';
import { openState } from '#src/commands/open-state';
import type { OutputColumn } from '#src/output/rows';
import { printRows } from '#src/output/standard-output';
import { isoMicros } from '#src/output/text';
import { gapsOf } from '#src/trades/gaps';
import { IntervalSet } from '#src/trades/interval-set';

const COLUMNS = [
  { name: 'exchange', kind: 'text' },
  { name: 'symbol', kind: 'text' },
  { name: 'from_id', kind: 'integer' },
  { name: 'to_id', kind: 'integer' },
  { name: 'count', kind: 'integer' },
  { name: 'after', kind: 'time' },
  { name: 'before', kind: 'time' },
] as const satisfies readonly OutputColumn[];

async function run(args: Arguments): Promise<void> {
  const exchange = optionalExchange(args);
  const format = formatArgument(args);
  const { store, instruments, close } = await openState(configOf(args));
  const symbol = symbolArgument(args, instruments, exchange);
  const rows = instruments
    .filter((i) => exchange === undefined || i.exchange === exchange)
    .filter((i) => symbol === undefined || i.symbol === symbol)
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
  await printRows(format, COLUMNS, rows);
  await close();
}

export const gapsCommand = defineCommand({
  summary: 'missing trade ids, per instrument',
  usage: 'bullion gaps [--exchange E] [--symbol S] [--format table|csv|json|jsonl]',
  options: ['exchange', 'symbol', 'format'],
  run,
});
