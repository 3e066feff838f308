/**
 * What every check of `npm run verify` is: a program of its own with the same options and the same
 * answer, so that a native crash, a leak or a hang of one check is that check's finding and no more.
 *
 *   node dist/tests/verify/<check>/main.js [--seed N] [--count N] [--seconds N] [--only TEXT] [--json FILE]
 *
 * The seed decides everything that is drawn. It exits with 1 when something was found, and every
 * finding names the command that shows it again.
 */
import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import type { Scope } from '#tests/support/process/bullion-process';

export interface Finding {
  readonly what: string;
  /** Shows it again. */
  readonly command: string;
}

export interface CheckAnswer {
  readonly check: string;
  readonly seed: number;
  readonly seconds: number;
  /** What was done and measured, in the order to show it. */
  readonly figures: Readonly<Record<string, number | string>>;
  /** How often each fault came to each outcome. */
  readonly outcomes: Readonly<Record<string, Readonly<Record<string, number>>>>;
  readonly slowest: readonly { readonly what: string; readonly ms: number }[];
  /** Places the check wants to reach and did not. */
  readonly missed: readonly string[];
  readonly findings: readonly Finding[];
}

export interface CheckOptions {
  readonly seed: number;
  /** How much of the check's own unit; undefined for its usual amount. */
  readonly count: number | undefined;
  /** Stop drawing more after so long, whatever the count. */
  readonly seconds: number | undefined;
  /** Only what has this in its name. */
  readonly only: string | undefined;
  readonly json: string | undefined;
}

/** Gathers the answer while the check goes on. */
export class CheckRun {
  readonly name: string;
  readonly options: CheckOptions;
  readonly figures: Record<string, number | string> = {};
  readonly missed: string[] = [];
  readonly #findings: Finding[] = [];
  readonly #outcomes: Record<string, Record<string, number>> = {};
  readonly #timings: { what: string; ms: number }[] = [];
  readonly #startedMs = performance.now();

  constructor(name: string, options: CheckOptions) {
    this.name = name;
    this.options = options;
  }

  get findings(): readonly Finding[] {
    return this.#findings;
  }

  get elapsedSeconds(): number {
    return (performance.now() - this.#startedMs) / 1000;
  }

  /** Whether `seconds` are over. */
  get isLate(): boolean {
    return this.elapsedSeconds >= (this.options.seconds ?? Number.POSITIVE_INFINITY);
  }

  outcome(fault: string, outcome: string, times = 1): void {
    const row = this.#outcomes[fault] ?? {};
    this.#outcomes[fault] = row;
    row[outcome] = (row[outcome] ?? 0) + times;
  }

  took(what: string, ms: number): void {
    this.#timings.push({ what, ms: Math.round(ms) });
  }

  /** `args` besides the seed, that show it again. */
  found(what: string, args = ''): void {
    const command = `node dist/tests/verify/${this.name}/main.js --seed ${this.options.seed}${args && ` ${args}`}`;
    this.#findings.push({ what, command });
    process.stderr.write(`FOUND ${what}\n  ${command}\n`);
  }

  answer(): CheckAnswer {
    return {
      check: this.name,
      seed: this.options.seed,
      seconds: Math.round(this.elapsedSeconds * 10) / 10,
      figures: this.figures,
      outcomes: this.#outcomes,
      slowest: this.#timings.sort((a, b) => b.ms - a.ms).slice(0, 5),
      missed: this.missed,
      findings: this.#findings,
    };
  }
}

export function checkOptions(): CheckOptions {
  const { values } = parseArgs({
    options: {
      seed: { type: 'string' },
      count: { type: 'string' },
      seconds: { type: 'string' },
      only: { type: 'string' },
      json: { type: 'string' },
    },
  });
  const number = (text: string | undefined): number | undefined =>
    text === undefined ? undefined : Number(text);
  return {
    seed: number(values.seed) ?? Math.floor(Math.random() * 2 ** 31),
    count: number(values.count),
    seconds: number(values.seconds),
    only: values.only,
    json: values.json,
  };
}

/** Runs a check as this process: undoes what it left, writes the answer, sets the exit code. */
export async function runCheck(
  name: string,
  work: (run: CheckRun, scope: Scope) => Promise<void>,
): Promise<void> {
  const run = new CheckRun(name, checkOptions());
  const undo: (() => unknown)[] = [];
  try {
    await work(run, { after: (step) => void undo.push(step) });
  } catch (error) {
    run.found(`the check itself failed: ${error instanceof Error ? error.stack : String(error)}`);
  }
  for (const step of undo.reverse()) {
    try {
      await step();
    } catch (error) {
      run.found(`could not tidy up: ${String(error)}`);
    }
  }
  const answer = run.answer();
  const text = JSON.stringify(answer, undefined, 2);
  if (run.options.json !== undefined) writeFileSync(run.options.json, text);
  else process.stdout.write(`${text}\n`);
  process.exit(answer.findings.length > 0 ? 1 : 0);
}
