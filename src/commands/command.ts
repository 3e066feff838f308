/**
 * A command: its summary, usage and options as data, and what it does with them. `--help`, unknown
 * options and the options of every command on a data directory are the same everywhere.
 */
import { type ParseArgsConfig, parseArgs } from 'node:util';
import { EXIT, UserError } from '#src/base/errors';
import { print, printRows } from '#src/output/standard-output';

export type OptionKinds = NonNullable<ParseArgsConfig['options']>;

const TEXT = { type: 'string' } as const;
const SWITCH = { type: 'boolean' } as const;

/** Options every command on a data directory takes. */
const COMMON = { config: TEXT, 'data-dir': TEXT, json: SWITCH, help: SWITCH } as const;

export interface Arguments {
  readonly values: Readonly<Record<string, string | boolean | undefined>>;
  readonly positionals: readonly string[];
  /** An error of the command line: says what is wrong and how it should be. Exit code 64. */
  wrong(problem: string): UserError;
}

export interface CommandSpec {
  readonly summary: string;
  /** The command line, without the options every command takes. */
  readonly usage: string;
  /** Words it takes beside its options at most; none when left out. */
  readonly wordsMax?: number;
  /** Names of the command's own options that take a value. */
  readonly options: readonly string[];
  readonly run: (args: Arguments) => Promise<void>;
}

export interface Command {
  readonly summary: string;
  run(argv: readonly string[]): Promise<void>;
}

export function defineCommand(spec: CommandSpec): Command {
  const usage = `${spec.usage} [--json] [--data-dir DIR] [--config FILE]`;
  const options: OptionKinds = {
    ...Object.fromEntries(spec.options.map((name) => [name, TEXT])),
    ...COMMON,
  };
  const wrong = (problem: string): UserError =>
    new UserError(EXIT.usage, `${problem.replace(/\.$/, '')}; usage: ${usage}`);
  return {
    summary: spec.summary,
    async run(argv) {
      const args = parse(argv, options, wrong);
      if (args.values.help === true) {
        await print(`${spec.summary}\nusage: ${usage}\n`);
        return;
      }
      const extra = args.positionals[spec.wordsMax ?? 0];
      if (extra !== undefined) throw wrong(`${extra} is one word too many`);
      await spec.run(args);
    },
  };
}

function parse(
  argv: readonly string[],
  options: OptionKinds,
  wrong: Arguments['wrong'],
): Arguments {
  try {
    const { values, positionals } = parseArgs({
      args: [...argv],
      options,
      allowPositionals: true,
    });
    return { values: values as Arguments['values'], positionals, wrong };
  } catch (error) {
    // Node's first sentence says what is wrong; the others guess at shells and dashes.
    const said = error instanceof Error ? error.message : String(error);
    throw wrong(said.split(/\. |\n/, 1)[0] as string);
  }
}

/** Writes one row of whole numbers: as one JSON object with --json, as a table otherwise. */
export function printFigures(
  args: Arguments,
  figures: Readonly<Record<string, number>>,
): Promise<void> {
  const columns = Object.keys(figures).map((name) => ({ name, kind: 'integer' as const }));
  return printRows(args.values.json === true ? 'jsonl' : 'table', columns, [figures]);
}
