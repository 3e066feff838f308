/**
 * `bullion rebuild`: derives everything again from bronze into a fresh directory and compares.
 *
 * Silver, gold, dead letters, gaps and candles are a pure function of the bronze log; this command
 * is that sentence as a check. The directory itself is first brought up to the end of its own log,
 * as a start would do. What differs is named, and the rebuilt directory stays to be looked at; where
 * the original's state or files are damaged, it is there to take their place.
 */
import { createHash } from 'node:crypto';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { bronzeTable } from '#schemas/bronze';
import { DEAD_LETTERS } from '#schemas/dead-letter';
import { EXCHANGES, type Exchange, exchangeKey } from '#schemas/exchange';
import { TIMEFRAMES } from '#schemas/timeframe';
import { GOLD_TRADES, silverTable } from '#schemas/trade';
import { systemClock } from '#src/base/clock';
import { EXIT, UserError } from '#src/base/errors';
import { nodeDisk } from '#src/base/node-disk';
import { configOf, formatArgument } from '#src/commands/arguments';
import { type Arguments, defineCommand } from '#src/commands/command';
import { type OfflineRequest, withOfflineRun } from '#src/commands/offline';
import { requireData } from '#src/commands/open-state';
import { type Progress, progressBar } from '#src/commands/progress-bar';
import type { Config } from '#src/config/schema';
import {
  proveDataFile,
  type ReadFile,
  readDeadLetters,
  readFrames,
  readTrades,
} from '#src/lake/table-reader';
import { listSegments } from '#src/log/segment-files';
import type { OutputColumn } from '#src/output/rows';
import { printRows } from '#src/output/standard-output';
import { checkStateApart } from '#src/state/check-apart';
import { rulesOf, withRules } from '#src/state/rules';
import { StateStore } from '#src/state/store';
import { type DataDirectory, dataPaths } from '#src/supervision/data-directory';
import { acquireDataDirectory } from '#src/supervision/data-directory-lock';

const COLUMNS = [
  { name: 'what', kind: 'text' },
  { name: 'rows', kind: 'integer' },
  { name: 'rebuilt_rows', kind: 'integer' },
  { name: 'equal', kind: 'boolean' },
] as const satisfies readonly OutputColumn[];

const MICROS_MAX = Number.MAX_SAFE_INTEGER;

interface Digest {
  readonly rows: number;
  readonly sha256: string;
}

async function run(args: Arguments): Promise<void> {
  const format = formatArgument(args);
  const config = configOf(args);
  const to = (args.values.to as string | undefined) ?? `${config.data_dir}.rebuilt`;
  requireData(config.data_dir);
  if (existsSync(to) && readdirSync(to).length > 0) {
    throw new UserError(
      EXIT.usage,
      `${to} is not empty; name a fresh directory with --to, or delete it`,
    );
  }
  requireWholeLogs(config.data_dir);
  const request: OfflineRequest = {
    config,
    purpose: 'a rebuild',
    appendTo: undefined,
    binanceStream: undefined,
    keepRules: true,
    distrustState: true,
  };
  const progress = progressBar();
  let rows: Compared[];
  let rulesSinceEpoch = 0;
  let hasExpired = false;
  let damage: UserError | undefined;
  try {
    // The original stays open, and so locked, until both are compared.
    rows = await withOfflineRun(request, async ({ data, run: pipeline }) => {
      rulesSinceEpoch = data.store.identity.rulesSinceEpoch ?? 0;
      hasExpired = Object.keys(data.store.epoch().expiredRows).length > 0;
      progress.phase('catching up', 1);
      await pipeline.finish((judged, frames) => progress.at(judged / Math.max(1, frames)));
      const rebuilt: OfflineRequest = {
        ...request,
        config: copyConfig(pipeline.config, to),
        binanceStream: data.binanceStream,
        instruments: data.instruments,
        bronze: data.paths.bronze,
      };
      return rebuild(rebuilt, progress, async (copy) => {
        progress.phase('comparing', PARTS.length);
        try {
          await proveFiles(data);
        } catch (error) {
          damage = damageOf(error);
        }
        const parts: Compared[] = [];
        for (const [what, digest] of PARTS) {
          const theirs = await digest(copy, data);
          let mine: Digest | undefined;
          try {
            mine = await digest(data, copy);
          } catch (error) {
            damage ??= damageOf(error);
          }
          parts.push(compared(what, mine, theirs));
          progress.at(parts.length);
        }
        return parts;
      });
    });
  } catch (error) {
    damage = damageOf(error);
    rows = await rebuildDamaged(config, to, progress);
  }
  progress.end();
  await printRows(format, COLUMNS, rows);
  if (damage !== undefined) {
    const place =
      config.warehouse === 'lake'
        ? `put its state and lake in the place of those in ${config.data_dir}`
        : `put its state in the place of that in ${config.data_dir}, and what is in its lake into ${config.warehouse}`;
    throw new UserError(
      EXIT.io,
      `${damage.message.split(/[:;] run /)[0]}: ${to} holds everything as the bronze log gives it; ${place}`,
    );
  }
  const different = rows.filter(({ equal }) => !equal).map(({ what }) => what);
  if (different.length === 0) return;
  const change =
    rulesSinceEpoch === 0
      ? ''
      : ` (its rules or instruments were changed after epoch ${rulesSinceEpoch}: what came before may rightly differ)`;
  const past = hasExpired ? ' (retention has taken old silver and candles out of it)' : '';
  throw new UserError(
    EXIT.data,
    `${config.data_dir} differs from what its bronze log gives${change}${past}, in ${different.join(', ')}; the rebuilt directory is ${to}`,
  );
}

/** The copy is a directory of its own, with its tables in it and no catalog but their files. */
function copyConfig(config: Config, to: string): Config {
  return {
    ...config,
    data_dir: to,
    warehouse: 'lake',
    catalog: { ...config.catalog, type: 'file' },
  };
}

/** A log without its beginning gives only part of gold again: nothing to put in gold's place. */
function requireWholeLogs(dataDir: string): void {
  const { bronze } = dataPaths(dataDir);
  for (const exchange of EXCHANGES) {
    const [first = 0] = listSegments(nodeDisk(), join(bronze, exchangeKey(exchange)));
    if (first === 0) continue;
    throw new UserError(
      EXIT.data,
      `The ${exchange} log in ${bronze} begins at frame ${first}: retention dropped what came before, so a rebuild cannot give all of gold again; bring damaged files back from a backup, and set maintenance.retention_days.bronze to 0 where logs are to be kept`,
    );
  }
}

/** Derives everything into the request's directory and hands it to `work`. */
function rebuild<T>(
  request: OfflineRequest,
  progress: Progress,
  work: (copy: DataDirectory) => Promise<T>,
): Promise<T> {
  return withOfflineRun(request, async ({ data: copy, run: pipeline }) => {
    let total = 0;
    await pipeline.finish((judged, frames) => {
      if (frames !== total) progress.phase('rebuilding', frames);
      total = frames;
      progress.at(judged);
    });
    return work(copy);
  });
}

/** A state or data file that cannot be read is what a rebuild is for; anything else goes on up. */
function damageOf(error: unknown): UserError {
  if (error instanceof UserError && error.exitCode === EXIT.io) return error;
  throw error;
}

/** With nothing to compare: what the damaged state still says of itself is taken from it. */
async function rebuildDamaged(config: Config, to: string, progress: Progress): Promise<Compared[]> {
  const lock = await acquireDataDirectory(config.data_dir, {
    clock: systemClock(),
    purpose: 'a rebuild',
  });
  try {
    const { rules, binanceStream, instruments } = await survivors(config);
    const request: OfflineRequest = {
      config: copyConfig(withRules(config, rules), to),
      purpose: 'a rebuild',
      appendTo: undefined,
      binanceStream,
      bronze: dataPaths(config.data_dir).bronze,
      ...(instruments !== undefined && { instruments }),
    };
    return await rebuild(request, progress, async (copy) => {
      const parts: Compared[] = [];
      for (const [what, digest] of PARTS)
        parts.push(compared(what, undefined, await digest(copy, copy)));
      return parts;
    });
  } finally {
    await lock.release();
  }
}

/** Rules, stream and instruments of a directory, as far as its state can be read. */
async function survivors(config: Config) {
  const configured = { rules: rulesOf(config), binanceStream: 'as stored', instruments: undefined };
  let store: StateStore | undefined;
  const { state } = dataPaths(config.data_dir);
  try {
    // What is damaged may end the process that reads it: another one reads it first.
    if (existsSync(state)) {
      const check = checkStateApart(state);
      await check.core;
      check.stop();
    }
    store = await StateStore.open(state, { readOnly: true });
    const { rules = configured.rules, binanceStream = 'as stored' as const } = store.identity;
    return { rules, binanceStream, instruments: store.instruments() };
  } catch (error) {
    damageOf(error);
    return { ...configured, binanceStream: 'as stored' as const };
  } finally {
    await store?.close();
  }
}

interface Compared {
  readonly what: string;
  /** null where the original cannot be read. */
  readonly rows: number | null;
  readonly rebuilt_rows: number;
  readonly equal: boolean;
  readonly [column: string]: string | number | boolean | null;
}

function compared(what: string, mine: Digest | undefined, theirs: Digest): Compared {
  return {
    what,
    rows: mine?.rows ?? null,
    rebuilt_rows: theirs.rows,
    equal: mine?.rows === theirs.rows && mine.sha256 === theirs.sha256,
  };
}

/** Refuses a data file that is not the one committed, of whatever table. */
async function proveFiles({ store, tables }: DataDirectory): Promise<void> {
  const read = readerOf(tables);
  for (const file of store.allFiles()) await proveDataFile(read, file);
}

/** Of one of two directories that are compared; `other` says how far the other one has come. */
type PartDigest = (data: DataDirectory, other: DataDirectory) => Digest | Promise<Digest>;

/** What is compared, in order. */
const PARTS: readonly (readonly [string, PartDigest])[] = [
  ['frames and counts', progressDigest],
  ...EXCHANGES.map(
    (exchange) =>
      [
        bronzeTable(exchangeKey(exchange)),
        (data: DataDirectory, other: DataDirectory) => framesDigest(data, other, exchange),
      ] as const,
  ),
  ...[...EXCHANGES.map((exchange) => silverTable(exchangeKey(exchange))), GOLD_TRADES].map(
    (table) => [table, (data: DataDirectory) => tradesDigest(data, table)] as const,
  ),
  [DEAD_LETTERS, deadLettersDigest],
  ['interval sets and gaps', intervalsDigest],
  ...TIMEFRAMES.map(
    (timeframe, index) =>
      [`candles ${timeframe}`, (data: DataDirectory) => candlesDigest(data, index)] as const,
  ),
];

function digestOf(texts: Iterable<string | Uint8Array>): Digest {
  const digest = new RunningDigest();
  for (const text of texts) digest.add(text);
  return digest.end();
}

class RunningDigest {
  readonly #hash = createHash('sha256');
  #rows = 0;

  add(text: string | Uint8Array): void {
    this.#hash.update(text);
    this.#hash.update('\n');
    this.#rows++;
  }

  end(): Digest {
    return { rows: this.#rows, sha256: this.#hash.digest('hex') };
  }
}

function progressDigest({ store }: DataDirectory): Digest {
  const { progress, gold } = store.epoch();
  const byExchange = (a: { exchange: string }, b: { exchange: string }): number =>
    a.exchange < b.exchange ? -1 : 1;
  return digestOf(
    [...progress]
      .sort(byExchange)
      .map((p) => JSON.stringify(Object.entries(p).sort()))
      .concat([...gold].sort(byExchange).map((g) => JSON.stringify(Object.entries(g).sort()))),
  );
}

/**
 * The frames both directories have in the table: which segments are in it by now depends on when they
 * were sealed, what is in it does not.
 */
async function framesDigest(
  { store, tables }: DataDirectory,
  other: DataDirectory,
  exchange: Exchange,
): Promise<Digest> {
  const tabledOf = (one: StateStore): number =>
    one.epoch().bronze.find((b) => b.exchange === exchange)?.nextSequence ?? 0;
  const end = Math.min(tabledOf(store), tabledOf(other.store));
  const digest = new RunningDigest();
  const files = [...store.files(bronzeTable(exchangeKey(exchange)))];
  for await (const row of readFrames(readerOf(tables), files)) {
    if (row.sequence >= end) continue;
    const raw = createHash('sha256').update(row.raw_frame).digest('hex');
    digest.add(JSON.stringify({ ...row, raw_frame: raw }));
  }
  return digest.end();
}

/** Rows of a partition come in (time, id) order; equal ones are ordered by their place in the log. */
async function tradesDigest({ store, tables }: DataDirectory, table: string): Promise<Digest> {
  const digest = new RunningDigest();
  let group: { key: string; text: string; sequence: bigint }[] = [];
  const flush = (): void => {
    group.sort((a, b) => (a.sequence < b.sequence ? -1 : 1));
    for (const { text } of group) digest.add(text);
    group = [];
  };
  for await (const row of readTrades(readerOf(tables), [...store.files(table)])) {
    const key = `${row.timestamp} ${row.trade_id.split('-')[1]}`;
    if (group.length > 0 && group[0]?.key !== key) flush();
    group.push({ key, text: JSON.stringify(row), sequence: BigInt(row.platform_sequence) });
  }
  flush();
  return digest.end();
}

async function deadLettersDigest({ store, tables }: DataDirectory): Promise<Digest> {
  const texts: string[] = [];
  for await (const row of readDeadLetters(readerOf(tables), [...store.files(DEAD_LETTERS)])) {
    const raw = createHash('sha256').update(row.raw_record).digest('hex');
    texts.push(JSON.stringify({ ...row, raw_record: raw }));
  }
  return digestOf(texts.sort());
}

function readerOf({ warehouse }: DataDirectory['tables']): ReadFile {
  return (path) => warehouse.get(path);
}

function intervalsDigest({ store }: DataDirectory): Digest {
  const sets = store.intervalSets().sort((a, b) => a.instrument - b.instrument);
  return digestOf(sets.flatMap(({ instrument, intervals }) => [String(instrument), intervals]));
}

function candlesDigest({ store, instruments }: DataDirectory, timeframe: number): Digest {
  function* records(): Generator<Uint8Array> {
    for (const { code } of instruments) yield* store.candles(timeframe, code, 0, MICROS_MAX);
  }
  return digestOf(records());
}

export const rebuildCommand = defineCommand({
  summary: 'derive everything again from bronze and compare',
  usage: 'bullion rebuild [--to DIR] [--format table|csv|json|jsonl]',
  options: ['to', 'format'],
  run,
});
