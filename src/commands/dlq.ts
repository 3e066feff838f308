/**
 * `bullion dlq list | show | replay`: the dead letters.
 *
 * Replay judges the raw frames again by today's configuration (an instrument added, a tolerance
 * raised), with their first receive time, and appends those that now hold trades to bronze once more.
 * It is idempotent: trades that gold has already are not appended again.
 */
import { DEAD_LETTERS, REASONS } from '#schemas/dead-letter';
import { EXCHANGES, type Exchange } from '#schemas/exchange';
import { EXIT, UserError } from '#src/base/errors';
import { configOf, countArgument, formatArgument, optionalExchange } from '#src/commands/arguments';
import { type Arguments, defineCommand, printFigures } from '#src/commands/command';
import { figuresOf, subtractFigures } from '#src/commands/figures';
import { withOfflineRun } from '#src/commands/offline';
import { openState, requireData } from '#src/commands/open-state';
import type { Config } from '#src/config/schema';
import { FRAME_TRADES, NO_REASON } from '#src/exchanges/parsed-trades';
import { type DeadLetterRecord, type ReadFile, readDeadLetters } from '#src/lake/table-reader';
import { KIND_REPLAY } from '#src/log/frame';
import type { OutputColumn, OutputRow } from '#src/output/rows';
import { print, printRows } from '#src/output/standard-output';
import { isoMicros } from '#src/output/text';
import type { DataDirectory } from '#src/supervision/data-directory';
import { IntervalSet } from '#src/trades/interval-set';
import { validatorOf } from '#src/trades/validator-of';

const COLUMNS = [
  { name: 'error_timestamp', kind: 'time' },
  { name: 'bronze_source', kind: 'text' },
  { name: 'offset', kind: 'integer' },
  { name: 'record_index', kind: 'integer' },
  { name: 'error_type', kind: 'text' },
  { name: 'error_reason', kind: 'text' },
  { name: 'raw_record', kind: 'text' },
] as const satisfies readonly OutputColumn[];

/** Characters of the raw record that a listing shows; `show` prints all of it. */
const RAW_PREVIEW_MAX = 120;

async function run(args: Arguments): Promise<void> {
  const [verb] = args.positionals;
  if (verb === 'list') await list(args);
  else if (verb === 'show') await show(args);
  else if (verb === 'replay') await replay(args);
  else throw args.wrong(`dlq ${verb ?? 'needs a verb: it'} is not list, show or replay`);
}

async function list(args: Arguments): Promise<void> {
  const format = formatArgument(args);
  const exchange = optionalExchange(args);
  const reason = reasonArgument(args);
  const limit = countArgument(args, 'limit');
  const { store, read, close } = await openState(configOf(args));
  async function* rows(): AsyncGenerator<OutputRow> {
    const letters = readDeadLetters(read, [...store.files(DEAD_LETTERS)], {
      ...(exchange !== undefined && { exchange }),
      ...(reason !== undefined && { reason }),
      ...(limit !== undefined && { limit }),
    });
    for await (const letter of letters) {
      const raw = Buffer.from(letter.raw_record).toString('latin1');
      yield {
        ...letter,
        error_timestamp: isoMicros(letter.error_timestamp),
        raw_record: raw.length > RAW_PREVIEW_MAX ? `${raw.slice(0, RAW_PREVIEW_MAX)}...` : raw,
      };
    }
  }
  await printRows(format, COLUMNS, rows());
  await close();
}

/** Prints the raw bytes of one frame, exactly: to be looked at or piped on. */
async function show(args: Arguments): Promise<void> {
  const offset = Number(args.positionals[1]);
  if (!Number.isSafeInteger(offset)) throw args.wrong('dlq show needs an offset');
  const exchange = optionalExchange(args);
  const { store, read, close } = await openState(configOf(args));
  const letters = readDeadLetters(read, [...store.files(DEAD_LETTERS)], {
    ...(exchange !== undefined && { exchange }),
  });
  let found: DeadLetterRecord | undefined;
  for await (const letter of letters) {
    if (letter.offset !== offset) continue;
    if (found !== undefined && found.bronze_source !== letter.bronze_source) {
      throw args.wrong(`offset ${offset} is in several logs: name one with --exchange`);
    }
    found = letter;
  }
  await close();
  if (found === undefined) {
    throw new UserError(EXIT.usage, `no dead letter has offset ${offset}; see bullion dlq list`);
  }
  process.stderr.write(
    `${found.bronze_source} ${found.offset} trade ${found.record_index}: ${found.error_reason}\n`,
  );
  await print(found.raw_record);
  if (process.stdout.isTTY) await print('\n');
}

async function replay(args: Arguments): Promise<void> {
  const config = configOf(args);
  requireData(config.data_dir);
  const only = optionalExchange(args);
  const reason = reasonArgument(args);
  const totals = { judged: 0, replayed: 0, trades: 0, duplicates: 0, dead_letters: 0 };
  const waiting = await exchangesWith(config, reason);
  for (const exchange of EXCHANGES) {
    if ((only !== undefined && exchange !== only) || !waiting.has(exchange)) continue;
    const request = {
      config,
      purpose: 'a replay of dead letters',
      appendTo: exchange,
      binanceStream: exchange === 'BINANCE' ? ('as stored' as const) : undefined,
    };
    await withOfflineRun(request, async ({ data, run: pipeline }) => {
      const { writer } = pipeline;
      if (writer === undefined) throw new Error('a replay without a log to append to');
      const before = figuresOf(data, exchange);
      const judge = replayJudge(data, exchange, pipeline.config);
      for await (const letter of framesOf(data, exchange, reason)) {
        totals.judged++;
        if (!judge(letter)) continue;
        writer.append(letter.raw_record, KIND_REPLAY, 0, letter.error_timestamp);
        totals.replayed++;
      }
      await pipeline.finish(() => {});
      const gained = subtractFigures(figuresOf(data, exchange), before);
      totals.trades += gained.trades;
      totals.duplicates += gained.duplicates;
      totals.dead_letters += gained.dead_letters;
    });
  }
  await printFigures(args, totals);
}

/** The exchanges that have dead letters: of the others nothing has to be started. */
async function exchangesWith(config: Config, reason: string | undefined): Promise<Set<string>> {
  const { store, read, close } = await openState(config);
  const found = new Set<string>();
  const filter = reason === undefined ? {} : { reason };
  for await (const letter of readDeadLetters(read, [...store.files(DEAD_LETTERS)], filter)) {
    found.add(letter.bronze_source);
  }
  await close();
  return found;
}

function reasonArgument({ values, wrong }: Arguments): string | undefined {
  const reason = values.reason as string | undefined;
  const names = REASONS.map(({ name }) => name);
  if (reason === undefined || (names as string[]).includes(reason)) return reason;
  throw wrong(`--reason ${reason} is not one of ${names.join(', ')}`);
}

/** The dead letters' frames of one exchange, each frame once. */
async function* framesOf(
  { store, tables }: DataDirectory,
  exchange: Exchange,
  reason: string | undefined,
): AsyncGenerator<DeadLetterRecord> {
  const seen = new Set<number>();
  const read: ReadFile = (path) => tables.warehouse.get(path);
  const letters = readDeadLetters(read, [...store.files(DEAD_LETTERS)], {
    exchange,
    ...(reason !== undefined && { reason }),
  });
  for await (const letter of letters) {
    if (seen.has(letter.offset)) continue;
    seen.add(letter.offset);
    yield letter;
  }
}

/** Whether a frame holds a trade that is valid now and not in gold yet. */
function replayJudge(
  { store, instruments }: DataDirectory,
  exchange: Exchange,
  config: ReturnType<typeof configOf>,
): (letter: DeadLetterRecord) => boolean {
  const validator = validatorOf(exchange, instruments, config);
  const sets = instruments.map((instrument) => {
    const packed = store.intervals(instrument);
    return packed === undefined ? new IntervalSet() : IntervalSet.unpack(packed);
  });
  return ({ raw_record, error_timestamp }) => {
    const bytes = Buffer.from(raw_record);
    const frameClass = validator.validate(bytes, 0, bytes.length, KIND_REPLAY, error_timestamp);
    if (frameClass !== FRAME_TRADES) return false;
    const { count, reason, instrument, tradeId } = validator.parsed;
    let gains = false;
    for (let i = 0; i < count; i++) {
      if (reason[i] !== NO_REASON) continue;
      // Noted here, too, so that the same trade in two dead frames is appended once.
      const isNew = sets[instrument[i] as number]?.add(tradeId[i] as number, 0) ?? false;
      gains = isNew || gains;
    }
    return gains;
  };
}

export const dlqCommand = defineCommand({
  summary: 'dead letters: list, show, replay',
  usage:
    'bullion dlq list|show OFFSET|replay [--exchange E] [--reason R] [--limit N] [--format table|csv|json|jsonl]',
  wordsMax: 2,
  options: ['exchange', 'reason', 'limit', 'format'],
  run,
});
