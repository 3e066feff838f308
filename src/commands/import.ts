/**
 * `bullion import`: recorded frames or public dump files into bronze, and on to candles.
 *
 * Frames get the time of the import as their receive time, so the age limit does not hold for them
 * and their candles are final at once. Importing the same file again adds only duplicates.
 */
import type { Exchange } from '#schemas/exchange';
import { configOf, exchangeArgument, textArgument } from '#src/commands/arguments';
import { type Arguments, defineCommand, printFigures } from '#src/commands/command';
import { type Figures, figuresOf, subtractFigures } from '#src/commands/figures';
import { withOfflineRun } from '#src/commands/offline';
import { type Progress, progressBar } from '#src/commands/progress-bar';
import { loadInstruments } from '#src/config/instruments';
import type { RefusedLine } from '#src/import/import-batch';
import {
  IMPORT_FORMATS,
  type ImportFormat,
  type ImportSource,
  isImportFormat,
  openImport,
} from '#src/import/read-import';
import type { DataDirectory } from '#src/supervision/data-directory';
import type { OfflineRun } from '#src/supervision/offline-run';

interface Request {
  readonly exchange: Exchange;
  readonly format: ImportFormat;
  readonly symbol: string | undefined;
  readonly files: readonly string[];
}

function requestOf(args: Arguments): Request {
  const exchange = exchangeArgument(args);
  const format = args.values.format as string | undefined;
  if (format === undefined || !isImportFormat(format)) {
    const allowed = IMPORT_FORMATS.join(', ');
    throw args.wrong(`--format ${format ?? 'is missing: it'} must be one of ${allowed}`);
  }
  if (format !== 'frames' && exchange !== 'BINANCE') {
    throw args.wrong(`--format ${format} is Binance's, not ${exchange}'s`);
  }
  if (args.positionals.length === 0) throw args.wrong('no files are named');
  const symbol = textArgument(args, 'symbol');
  if (symbol !== undefined) {
    const known = loadInstruments({ cwd: process.cwd() })
      .filter((instrument) => instrument.exchange === exchange)
      .map(({ nativeSymbol }) => nativeSymbol);
    if (!known.includes(symbol)) {
      throw args.wrong(`--symbol ${symbol} is not in configs/instruments.yaml for ${exchange}`);
    }
  }
  return { exchange, format, symbol, files: args.positionals };
}

/** A dump file says which id space it is of; frames are judged by what the directory holds. */
function binanceStreamOf({
  exchange,
  format,
}: Request): 'trade' | 'aggTrade' | 'as stored' | undefined {
  if (exchange !== 'BINANCE') return undefined;
  if (format === 'frames') return 'as stored';
  return format === 'binance-trades-csv' ? 'trade' : 'aggTrade';
}

/** Opens every file before anything is written: a missing one must not leave half an import. */
async function openAll({ files, format, symbol }: Request): Promise<ImportSource[]> {
  const sources: ImportSource[] = [];
  for (const path of files) {
    sources.push(await openImport({ path, format, ...(symbol !== undefined && { symbol }) }));
  }
  return sources;
}

async function append(
  sources: readonly ImportSource[],
  run: OfflineRun,
  nowUs: () => number,
  progress: Progress,
): Promise<RefusedLine[]> {
  const { writer } = run;
  if (writer === undefined) throw new Error('an import without a log to append to');
  const refused: RefusedLine[] = [];
  progress.phase(
    'reading ',
    sources.reduce((sum, { bytesTotal }) => sum + bytesTotal, 0),
  );
  let bytesBefore = 0;
  for (const source of sources) {
    for await (const batch of source.batches) {
      const receiveTimeUs = nowUs();
      for (let i = 0; i < batch.count; i++) {
        const frame = batch.bytes.subarray(batch.starts[i], batch.ends[i]);
        writer.append(frame, batch.kind, 0, receiveTimeUs);
      }
      refused.push(...batch.refused);
      run.appended();
      progress.at(bytesBefore + batch.bytesRead);
    }
    bytesBefore += source.bytesTotal;
  }
  return refused;
}

/** Frames of the log that no epoch covers yet. */
function unfinishedFrames(
  { store }: DataDirectory,
  { writer }: OfflineRun,
  exchange: Exchange,
): number {
  const progress = store.epoch().progress.find((p) => p.exchange === exchange);
  return (writer?.nextSequence ?? 0) - (progress?.nextSequence ?? 0);
}

async function run(args: Arguments): Promise<void> {
  const request = requestOf(args);
  const config = configOf(args);
  const sources = await openAll(request);
  const progress = progressBar();
  const figures = await withOfflineRun(
    {
      config,
      purpose: 'an import',
      appendTo: request.exchange,
      binanceStream: binanceStreamOf(request),
    },
    async ({ data, run: pipeline, nowUs }): Promise<Figures> => {
      const before = figuresOf(data, request.exchange);
      const left = unfinishedFrames(data, pipeline, request.exchange);
      if (left > 0) {
        process.stderr.write(
          `bullion: ${left} frames are in the log already, from a run that did not come to its end; they are derived and counted here, too\n`,
        );
      }
      const refused = await append(sources, pipeline, nowUs, progress);
      progress.phase('deriving', 1);
      let total = 0;
      const epochs = await pipeline.finish((judged, frames) => {
        if (frames !== total) progress.phase('deriving', frames);
        total = frames;
        progress.at(judged);
      });
      progress.end();
      for (const { file, line, bytes } of refused) {
        process.stderr.write(
          `bullion: ${file} line ${line}: ${bytes} bytes are more than a frame can hold; left out\n`,
        );
      }
      return { ...subtractFigures(figuresOf(data, request.exchange), before), epochs };
    },
  );
  await printFigures(args, { ...figures });
  if (figures.dead_letters > 0) {
    process.stderr.write(
      `bullion: dead letters: ${figures.dead_letters}; bullion dlq list shows them with their reasons\n`,
    );
  }
}

export const importCommand = defineCommand({
  summary: 'recorded frames or public dump files into bronze, and on to candles',
  usage:
    'bullion import --exchange E --format frames|binance-trades-csv|binance-aggtrades-csv [--symbol S] FILES...',
  wordsMax: Number.POSITIVE_INFINITY,
  options: ['exchange', 'format', 'symbol'],
  run,
});
