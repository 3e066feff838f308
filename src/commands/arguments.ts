/**
 * Command-line arguments: options by name, in one place, so that every command refuses what it does
 * not know with the same sentence and exit code 64.
 */
import { type ParseArgsConfig, parseArgs } from 'node:util';
import { EXCHANGES, type Exchange, isExchange } from '#schemas/exchange';
import { EXIT, UserError } from '#src/base/errors';
import { loadConfig } from '#src/config/load';
import type { Config } from '#src/config/schema';
import { isOutputFormat, OUTPUT_FORMATS, type OutputFormat } from '#src/output/rows';

type Options = NonNullable<ParseArgsConfig['options']>;

export interface Arguments {
  readonly values: Readonly<Record<string, string | boolean | undefined>>;
  readonly positionals: readonly string[];
}

/** Options of every command that works on a data directory. */
export const DATA_OPTIONS = {
  config: { type: 'string' },
  'data-dir': { type: 'string' },
} as const satisfies Options;

export function readArguments(argv: readonly string[], options: Options, usage: string): Arguments {
  try {
    const { values, positionals } = parseArgs({
      args: [...argv],
      options,
      allowPositionals: true,
    });
    return { values: values as Arguments['values'], positionals };
  } catch (error) {
    throw usageError(error instanceof Error ? error.message : String(error), usage);
  }
}

export function usageError(problem: string, usage: string): UserError {
  return new UserError(EXIT.usage, `${problem.replace(/\.$/, '')}; usage: ${usage}`);
}

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

export function exchangeArgument({ values }: Arguments, usage: string): Exchange {
  const exchange = optionalExchange({ values, positionals: [] }, usage);
  if (exchange === undefined) throw usageError('--exchange is missing', usage);
  return exchange;
}

export function optionalExchange({ values }: Arguments, usage: string): Exchange | undefined {
  const text = values.exchange as string | undefined;
  if (text === undefined) return undefined;
  const exchange = text.toUpperCase();
  if (isExchange(exchange)) return exchange;
  const names = EXCHANGES.map((name) => name.toLowerCase()).join(', ');
  throw usageError(`--exchange ${text} is not one of ${names}`, usage);
}

/** The output format: a table unless asked otherwise; --json is one object a line. */
export function formatArgument({ values }: Arguments, usage: string): OutputFormat {
  if (values.json === true) return 'jsonl';
  const text = (values.format as string | undefined) ?? 'table';
  if (isOutputFormat(text)) return text;
  throw usageError(`--format ${text} is not one of ${OUTPUT_FORMATS.join(', ')}`, usage);
}

/** A point in time: ISO 8601 or milliseconds since the epoch; us. */
export function timeArgument(
  { values }: Arguments,
  name: string,
  usage: string,
): number | undefined {
  const text = values[name] as string | undefined;
  if (text === undefined) return undefined;
  const ms = /^\d{1,15}$/.test(text) ? Number(text) : Date.parse(text);
  if (Number.isFinite(ms)) return ms * 1000;
  throw usageError(`--${name} ${text} is neither an ISO 8601 time nor milliseconds`, usage);
}

export function countArgument(
  { values }: Arguments,
  name: string,
  usage: string,
): number | undefined {
  const text = values[name] as string | undefined;
  if (text === undefined) return undefined;
  if (/^\d{1,9}$/.test(text) && Number(text) > 0) return Number(text);
  throw usageError(`--${name} ${text} is not a positive whole number`, usage);
}
