/**
 * Everything a data directory can be asked, each answer as a digest: what the commands and the
 * gateway read, through the code they read it with.
 */
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { candleTable } from '#schemas/candle';
import { DEAD_LETTERS } from '#schemas/dead-letter';
import { EXCHANGES, type Exchange, exchangeKey } from '#schemas/exchange';
import { TIMEFRAMES } from '#schemas/timeframe';
import { GOLD_TRADES, silverTable } from '#schemas/trade';
import { UserError } from '#src/base/errors';
import { nodeDisk } from '#src/base/node-disk';
import { loadConfig } from '#src/config/load';
import { catalogReader } from '#src/iceberg/catalog-reader';
import { NO_STEPS } from '#src/iceberg/commit-steps';
import { FILE_CATALOG } from '#src/iceberg/file-catalog';
import { TABLES } from '#src/iceberg/table-definition';
import { type ReadFile, readCandles, readDeadLetters, readTrades } from '#src/lake/table-reader';
import { LogReader } from '#src/log/log-reader';
import { audit } from '#src/maintenance/audit';
import { snapshotRetention } from '#src/maintenance/jobs';
import { StateStore } from '#src/state/store';
import { DiskWarehouse } from '#src/warehouse/disk-warehouse';
import { seeTable } from '#tests/iceberg/independent-reader';

/** A digest, or why there is none. */
export type Answer =
  | { readonly digest: string }
  /** One sentence for a person, and an exit code. */
  | { readonly refused: string }
  /** A bug. */
  | { readonly thrown: string };

export type Answers = Readonly<Record<string, Answer>>;

const MICROS_MAX = Number.MAX_SAFE_INTEGER;

/** Which areas to ask: an injury of one file cannot change what others answer. */
export type Area = 'bronze' | 'state' | 'tables' | 'metadata';

async function asked(digest: () => unknown): Promise<Answer> {
  try {
    const value = await digest();
    return { digest: typeof value === 'string' ? value : JSON.stringify(value) };
  } catch (error) {
    if (error instanceof UserError) return { refused: error.message };
    return { thrown: error instanceof Error ? (error.stack ?? error.message) : String(error) };
  }
}

function digestOf(rows: Iterable<string | Uint8Array>): string {
  const hash = createHash('sha256');
  let count = 0;
  for (const row of rows) {
    hash.update(row);
    hash.update('\n');
    count++;
  }
  return `${count} ${hash.digest('hex')}`;
}

const pathOf = ({ path }: { readonly path: string }): string => path;

/** Rows in any order: how they are spread over files is not what was asked. */
async function sortedDigest(rows: AsyncIterable<object>): Promise<string> {
  const text = (row: object): string =>
    JSON.stringify(row, (_, value: unknown) =>
      value instanceof Uint8Array ? Buffer.from(value).toString('hex') : value,
    );
  const texts: string[] = [];
  for await (const row of rows) texts.push(text(row));
  return digestOf(texts.sort());
}

/**
 * One digest a frame, in order, and the sequences said to be missing: whoever compares sees whether
 * a frame is another one, and whether one is gone without a word.
 */
function bronzeFrames(dir: string, exchange: Exchange): unknown {
  const gaps: unknown[] = [];
  const reader = LogReader.open({
    disk: nodeDisk(),
    dir,
    exchange,
    fromSequence: 0,
    onGap: (gap) => gaps.push(gap),
  });
  const frames: string[] = [];
  while (reader.next()) {
    const bytes = reader.bytes.subarray(reader.start, reader.end);
    const sha = createHash('sha256').update(bytes).digest('hex').slice(0, 12);
    frames.push(`${reader.sequence} ${reader.receiveTimeUs} ${reader.kind} ${sha}`);
  }
  reader.close();
  return { frames, reported: gaps.length > 0 || reader.skippedSequences > 0 };
}

/** As a command has it proven before it looks, and a start before it opens. */
async function openProven(directory: string): Promise<StateStore> {
  const store = await StateStore.open(directory, { readOnly: true });
  try {
    store.verifyLists();
    return store;
  } catch (error) {
    await store.close();
    throw error;
  }
}

/**
 * Asks an area; of bronze only the log, of the tables only the table named `part`: an injury of one
 * of their files cannot change what the others answer. Without it all of them.
 */
export async function answersOf(
  dataDir: string,
  areas: readonly Area[],
  part: string | undefined,
): Promise<Answers> {
  const isAsked = (name: string): boolean => part === undefined || part === name;
  const answers: Record<string, Answer> = {};
  const lake = join(dataDir, 'lake');
  const warehouse = new DiskWarehouse(nodeDisk(), lake);
  const read: ReadFile = (path) => warehouse.get(path);
  if (areas.includes('bronze')) {
    for (const exchange of EXCHANGES) {
      const dir = join(dataDir, 'bronze', exchangeKey(exchange));
      if (isAsked(exchangeKey(exchange)) && existsSync(dir))
        answers[`frames of ${exchange}`] = await asked(() => bronzeFrames(dir, exchange));
    }
  }
  if (areas.includes('metadata')) {
    const reader = catalogReader(FILE_CATALOG, warehouse);
    for (const table of [...TABLES.keys()].filter(isAsked)) {
      answers[`catalog: ${table}`] = await asked(
        async () => (await reader.load(table))?.metadata ?? 'none',
      );
      answers[`icebird: ${table}`] = await asked(async () => {
        const { files, snapshots } = await seeTable(nodeDisk(), lake, table);
        return [[...files.values()].sort((a, b) => (a.path < b.path ? -1 : 1)), snapshots];
      });
    }
  }
  if (!areas.some((area) => area === 'state' || area === 'tables')) return answers;
  let store: StateStore;
  try {
    store = await openProven(join(dataDir, 'state'));
  } catch (error) {
    answers.state = await asked(() => {
      throw error;
    });
    return answers;
  }
  if (areas.includes('state')) {
    // Without the mark of its publication: with an older one a start publishes once more, as after a kill.
    answers.epoch = await asked(() => ({ ...store.epoch(), publishedEpoch: undefined }));
    answers.instruments = await asked(() => store.instruments());
    answers['interval sets'] = await asked(() =>
      digestOf(store.intervalSets().map(({ intervals }) => intervals)),
    );
    for (const [index, timeframe] of TIMEFRAMES.entries()) {
      answers[`candles ${timeframe}`] = await asked(() => {
        store.verifyCandles();
        return digestOf(
          (function* () {
            for (const { code } of store.instruments()) {
              yield* store.candles(index, code, 0, MICROS_MAX);
            }
          })(),
        );
      });
    }
    answers['data files by table'] = await asked(() =>
      digestOf([...TABLES.keys()].flatMap((table) => [...store.files(table)].map(pathOf))),
    );
    answers.gaps = await asked(() =>
      digestOf(store.instruments().map((one) => store.intervals(one) ?? 'none')),
    );
    answers['data files'] = await asked(() => digestOf([...store.allLivePaths()].sort()));
    answers['the whole state'] = await asked(() => {
      store.verify();
      return 'sound';
    });
  }
  if (areas.includes('tables')) {
    const tables = [...EXCHANGES.map((e) => silverTable(exchangeKey(e))), GOLD_TRADES];
    for (const table of tables.filter(isAsked)) {
      answers[`rows of ${table}`] = await asked(() =>
        sortedDigest(readTrades(read, [...store.files(table)])),
      );
    }
    for (const timeframe of TIMEFRAMES) {
      const table = candleTable(timeframe);
      if (!isAsked(table)) continue;
      answers[`rows of ${table}`] = await asked(() =>
        sortedDigest(readCandles(read, [...store.files(table)])),
      );
    }
    if (isAsked(DEAD_LETTERS)) {
      answers['dead letters'] = await asked(() =>
        sortedDigest(readDeadLetters(read, [...store.files(DEAD_LETTERS)])),
      );
    }
    answers.audit = await asked(async () => {
      const { maintenance } = loadConfig({ env: {}, cwd: dataDir });
      const tables = {
        warehouse,
        catalog: FILE_CATALOG,
        step: NO_STEPS,
        retention: snapshotRetention(maintenance),
      };
      return (await audit({ store, tables }, { path: '', day: '' }, 10_000)).problems;
    });
  }
  await store.close();
  return answers;
}
