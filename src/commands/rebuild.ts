/**
 * `bullion rebuild`: derives everything again from bronze into a fresh directory and compares.
 *
 * Silver, gold, dead letters, gaps and candles are a pure function of the bronze log; this command
 * is that sentence as a check. The directory itself is first brought up to the end of its own log,
 * as a start would do. What differs is named, and the rebuilt directory stays to be looked at.
 */
import { createHash } from 'node:crypto';
import { existsSync, readdirSync } from 'node:fs';
import { DEAD_LETTERS } from '#schemas/dead-letter';
import { EXCHANGES, exchangeKey } from '#schemas/exchange';
import { TIMEFRAMES } from '#schemas/timeframe';
import { GOLD_TRADES, silverTable } from '#schemas/trade';
import { EXIT, UserError } from '#src/base/errors';
import { configOf, formatArgument } from '#src/commands/arguments';
import { type Arguments, defineCommand } from '#src/commands/command';
import { fileReader } from '#src/commands/file-reader';
import { type OfflineRequest, withOfflineRun } from '#src/commands/offline';
import { progressBar } from '#src/commands/progress-bar';
import { readDeadLetters, readTrades } from '#src/lake/table-reader';
import type { OutputColumn } from '#src/output/rows';
import { printRows } from '#src/output/standard-output';
import type { DataDirectory } from '#src/supervision/data-directory';

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
  if (existsSync(to) && readdirSync(to).length > 0) {
    throw new UserError(
      EXIT.usage,
      `${to} is not empty; name a fresh directory with --to, or delete it`,
    );
  }
  const progress = progressBar();
  const request: OfflineRequest = {
    config,
    purpose: 'a rebuild',
    appendTo: undefined,
    binanceStream: undefined,
  };
  // The original stays open, and so locked, until both are compared.
  const different = await withOfflineRun(request, async ({ data, run: pipeline }) => {
    progress.phase('catching up', 1);
    await pipeline.finish((judged, frames) => progress.at(judged / Math.max(1, frames)));
    const rebuilt: OfflineRequest = {
      ...request,
      config: { ...config, data_dir: to },
      binanceStream: data.binanceStream,
      instruments: data.instruments,
      bronze: data.paths.bronze,
    };
    return withOfflineRun(rebuilt, async ({ data: copy, run: again }) => {
      let total = 0;
      await again.finish((judged, frames) => {
        if (frames !== total) progress.phase('rebuilding', frames);
        total = frames;
        progress.at(judged);
      });
      const rows = compare(data, copy, (name, total_) => progress.phase(name, total_), progress.at);
      progress.end();
      await printRows(format, COLUMNS, rows);
      return rows.filter(({ equal }) => !equal).map(({ what }) => what);
    });
  });
  if (different.length > 0) {
    throw new UserError(
      EXIT.data,
      `${config.data_dir} differs from what its bronze log gives, in ${different.join(', ')}; the rebuilt directory is ${to}`,
    );
  }
}

type Compared = { what: string; rows: number; rebuilt_rows: number; equal: boolean };

function compare(
  original: DataDirectory,
  copy: DataDirectory,
  phase: (name: string, total: number) => void,
  at: (done: number) => void,
): Compared[] {
  const silver = EXCHANGES.map((exchange) => silverTable(exchangeKey(exchange)));
  const parts: readonly (readonly [string, (data: DataDirectory) => Digest])[] = [
    ['frames and counts', progressDigest],
    ...[...silver, GOLD_TRADES].map(
      (table) => [table, (data: DataDirectory) => tradesDigest(data, table)] as const,
    ),
    [DEAD_LETTERS, deadLettersDigest],
    ['interval sets and gaps', intervalsDigest],
    ...TIMEFRAMES.map(
      (timeframe, index) =>
        [`candles ${timeframe}`, (data: DataDirectory) => candlesDigest(data, index)] as const,
    ),
  ];
  phase('comparing', parts.length);
  return parts.map(([what, digest], i) => {
    const mine = digest(original);
    const theirs = digest(copy);
    at(i + 1);
    return {
      what,
      rows: mine.rows,
      rebuilt_rows: theirs.rows,
      equal: mine.rows === theirs.rows && mine.sha256 === theirs.sha256,
    };
  });
}

function digestOf(texts: Iterable<string | Uint8Array>): Digest {
  const hash = createHash('sha256');
  let rows = 0;
  for (const text of texts) {
    hash.update(text);
    hash.update('\n');
    rows++;
  }
  return { rows, sha256: hash.digest('hex') };
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

/** Rows of a partition come in (time, id) order; equal ones are ordered by their place in the log. */
function tradesDigest({ store, paths }: DataDirectory, table: string): Digest {
  function* texts(): Generator<string> {
    const rows = readTrades(fileReader(paths.lake), [...store.files(table)]);
    let group: { key: string; text: string; sequence: bigint }[] = [];
    const flush = function* (): Generator<string> {
      group.sort((a, b) => (a.sequence < b.sequence ? -1 : 1));
      for (const { text } of group) yield text;
      group = [];
    };
    for (const row of rows) {
      const key = `${row.timestamp} ${row.trade_id.split('-')[1]}`;
      if (group.length > 0 && group[0]?.key !== key) yield* flush();
      group.push({ key, text: JSON.stringify(row), sequence: BigInt(row.platform_sequence) });
    }
    yield* flush();
  }
  return digestOf(texts());
}

function deadLettersDigest({ store, paths }: DataDirectory): Digest {
  const texts: string[] = [];
  for (const row of readDeadLetters(fileReader(paths.lake), [...store.files(DEAD_LETTERS)])) {
    const raw = createHash('sha256').update(row.raw_record).digest('hex');
    texts.push(JSON.stringify({ ...row, raw_record: raw }));
  }
  return digestOf(texts.sort());
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
