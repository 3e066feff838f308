/**
 * The values of command-line options: read in one place, so that every command refuses a wrong one
 * with the same sentence.
 */
import { EXCHANGES, type Exchange, isExchange } from '#schemas/exchange';
import type { Instrument } from '#schemas/instrument';
import { EXIT, UserError } from '#src/base/errors';
import type { Arguments } from '#src/commands/command';
import { loadConfig } from '#src/config/load';
import type { Config } from '#src/config/schema';
import { isOutputFormat, OUTPUT_FORMATS, type OutputFormat } from '#src/output/rows';

/** The configuration of a command: --data-dir stands above the file and the environment. */
export function configOf({ values }: Arguments): Config {
  const dataDir = values['data-dir'] as string | undefined;
  const configPath = values.config as string | undefined;
  return loadConfig({
    env: dataDir === undefined ? process.env : { ...process.env, BULLION_DATA_DIR: dataDir },
    cwd: process.cwd(),
    ...(configPath !== undefined && { configPath }),
  });
}

export function exchangeArgument(args: Arguments): Exchange {
  const exchange = optionalExchange(args);
  if (exchange === undefined) throw args.wrong('--exchange is missing');
  return exchange;
}

export function optionalExchange({ values, wrong }: Arguments): Exchange | undefined {
  const text = values.exchange as string | undefined;
  if (text === undefined) return undefined;
  const exchange = text.toUpperCase();
  if (isExchange(exchange)) return exchange;
  const names = EXCHANGES.map((name) => name.toLowerCase()).join(', ');
  throw wrong(`--exchange ${text} is not one of ${names}`);
}

/** The output format: a table unless asked otherwise; --json is one object a line. */
export function formatArgument({ values, wrong }: Arguments): OutputFormat {
  if (values.json === true) return 'jsonl';
  const text = (values.format as string | undefined) ?? 'table';
  if (isOutputFormat(text)) return text;
  throw wrong(`--format ${text} is not one of ${OUTPUT_FORMATS.join(', ')}`);
}

/** A point in time: ISO 8601 or milliseconds since the epoch; us. */
export function timeArgument({ values, wrong }: Arguments, name: string): number | undefined {
  const text = values[name] as string | undefined;
  if (text === undefined) return undefined;
  const ms = /^\d{1,15}$/.test(text) ? Number(text) : Date.parse(text);
  if (Number.isFinite(ms)) return ms * 1000;
  throw wrong(`--${name} ${text} is neither an ISO 8601 time nor milliseconds`);
}

export function countArgument({ values, wrong }: Arguments, name: string): number | undefined {
  const text = values[name] as string | undefined;
  if (text === undefined) return undefined;
  if (/^\d{1,9}$/.test(text) && Number(text) > 0) return Number(text);
  throw wrong(`--${name} ${text} is not a positive whole number`);
}

/** The symbol asked for, which must be one of the directory's (of the exchange, if one is named). */
export function symbolArgument(
  { values }: Arguments,
  instruments: readonly Instrument[],
  exchange: Exchange | undefined,
): string | undefined {
  const symbol = values.symbol as string | undefined;
  if (symbol === undefined) return undefined;
  const ours = instruments.filter((i) => exchange === undefined || i.exchange === exchange);
  const known = new Set(ours.map((instrument) => instrument.symbol));
  if (known.has(symbol)) return symbol;
  const of = exchange === undefined ? '' : ` of ${exchange}`;
  throw new UserError(
    EXIT.usage,
    `--symbol ${symbol} is not an instrument${of} here; there are ${[...known].join(', ')}`,
  );
}

export function textArgument({ values }: Arguments, name: string): string | undefined {
  return values[name] as string | undefined;
}
