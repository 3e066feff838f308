/**
 * The state store: everything that has to become durable together at an epoch, and the little that
 * is not an epoch's (identity, instrument codes, marks). It is a cache of the bronze log: `bullion
 * rebuild` makes it again. One writer, the holder of the data directory's lock; readers anywhere.
 */
import type { Instrument } from '#schemas/instrument';
import { assert, EXIT, UserError } from '#src/base/errors';
import type { Databases } from '#src/base/key-value';
import type { InstrumentState } from '#src/runtime/epoch-report';
import {
  putCandles,
  readCandle,
  removeCandles,
  scanCandles,
  scanLatest,
  scanPending,
  verifyPending,
} from '#src/state/candle-area';
import { Edits } from '#src/state/edits';
import { Environment } from '#src/state/environment';
import { type EpochCommit, type EpochRecord, firstEpoch, nextEpoch } from '#src/state/epoch-record';
import {
  type DataFile,
  forgetFiles,
  liveFile,
  putFiles,
  type RemovedFile,
  scanAllFiles,
  scanFiles,
  scanRemoved,
} from '#src/state/file-catalog';
import { type BinanceStream, checkFormat, type Identity, newIdentity } from '#src/state/identity';
import {
  type ConfiguredInstrument,
  instrumentName,
  type RegisteredInstrument,
  register,
} from '#src/state/instrument-registry';
import { JOB_RUNS_KEPT, type JobRun } from '#src/state/job-run';
import { AREA, areaKey, keyText, numberKey, textKey } from '#src/state/keys';
import { lmdbDatabases } from '#src/state/open-environment';
import { type DerivationRules, sameRules } from '#src/state/rules';
import { StateCorruptError } from '#src/state/state-errors';

export type OpenOptions = (
  | { readonly readOnly: true }
  /** Made when it does not exist; `createdUs` is then its time of birth. */
  | { readonly readOnly?: false; readonly createdUs: number }
) & {
  /** LMDB unless said otherwise. */
  readonly databases?: Databases;
};

export class StateStore {
  readonly #environment: Environment;

  private constructor(environment: Environment) {
    this.#environment = environment;
  }

  static async open(directory: string, options: OpenOptions): Promise<StateStore> {
    const environment =
      (await Environment.open(
        options.databases ?? lmdbDatabases,
        directory,
        options.readOnly === true,
      )) ?? (await create(directory, options));
    const store = new StateStore(environment);
    try {
      checkFormat(directory, store.identity);
      // Read one by one ever after: an older version of either is as sound, and is found by its area's sum.
      for (const area of [AREA.identity, AREA.epoch]) environment.verifyArea(area);
      return store;
    } catch (error) {
      await environment.close();
      throw error;
    }
  }

  get directory(): string {
    return this.#environment.directory;
  }

  get identity(): Identity {
    return this.#record(areaKey(AREA.identity), 'the identity');
  }

  /** Fixes the kind of Binance stream at the first call; another kind is refused from then on. */
  async fixBinanceStream(kind: BinanceStream): Promise<void> {
    const { binanceStream } = this.identity;
    if (binanceStream === kind) return;
    if (binanceStream !== undefined) {
      const message = `The data in ${this.directory} are of Binance's ${binanceStream} stream and these would be of ${kind}, whose trade ids differ; use another data directory (or, for a server, set exchanges.binance.channel to ${binanceStream}).`;
      throw new UserError(EXIT.config, message);
    }
    await this.#environment.write((edits) => {
      edits.putJson(areaKey(AREA.identity), { ...this.identity, binanceStream: kind });
    });
  }

  /** Notes the rules that everything is derived by from now on, or that there are more instruments. */
  async setRules(rules: DerivationRules, moreInstruments: boolean): Promise<void> {
    const { identity } = this;
    const same = identity.rules !== undefined && sameRules(identity.rules, rules);
    if (same && !moreInstruments) return;
    const rulesSinceEpoch = this.epoch().epoch;
    await this.#environment.write((edits) => {
      edits.putJson(areaKey(AREA.identity), { ...identity, rules, rulesSinceEpoch });
    });
  }

  /** Every instrument that ever was configured, in code order: its index is its code. */
  instruments(): Instrument[] {
    const records = [...this.#environment.scanJson(AREA.instrument)];
    return records.map(({ record }, code) => ({ ...(record as ConfiguredInstrument), code }));
  }

  /** Gives every configured instrument its code; durable when it resolves. */
  async registerInstruments(
    configured: readonly ConfiguredInstrument[],
  ): Promise<RegisteredInstrument[]> {
    const registered = register(this.instruments(), configured);
    await this.#environment.write((edits) => {
      for (const { code, configured: _, ...instrument } of registered) {
        edits.putJson(numberKey(AREA.instrument, code), instrument);
      }
    });
    return registered;
  }

  /** The last committed epoch; epoch 0 in a new store. */
  epoch(): EpochRecord {
    // A state from before there were bronze tables, or retention, says nothing about them.
    const record = this.#record<EpochRecord>(areaKey(AREA.epoch), 'the epoch');
    return { ...firstEpoch(record.committedUs), ...record };
  }

  /** The epoch's record as it is stored: as long as it stays the same nothing was committed. */
  epochBytes(): Uint8Array {
    const bytes = this.#environment.get(areaKey(AREA.epoch));
    if (bytes === undefined) throw new StateCorruptError(this.directory, 'the epoch is missing');
    return bytes;
  }

  /** Commits an epoch, all of it or nothing; resolves when it is on the disk. */
  commitEpoch(commit: EpochCommit): Promise<void> {
    return this.#environment.write((edits) => {
      const { files, retired = [], expired = [] } = commit;
      const last = this.epoch();
      const next = nextEpoch(last, commit, this.#rowsByTable(expired));
      edits.putJson(areaKey(AREA.epoch), next);
      const instruments = this.instruments();
      for (const { instrument, intervals } of commit.instruments) {
        const known = instruments[instrument];
        assert(known !== undefined, `no instrument has code ${instrument}`);
        edits.put(textKey(AREA.intervals, instrumentName(known)), intervals);
      }
      putCandles(edits, commit.candles, next.candlesFromUs);
      for (const [timeframe, fromUs] of next.candlesFromUs.entries()) {
        if (fromUs === last.candlesFromUs[timeframe]) continue;
        removeCandles(this.#environment, edits, timeframe, instruments.length, fromUs);
      }
      putFiles(this.#environment, edits, commit, files, [...retired, ...expired]);
    });
  }

  /** Notes that the tables hold everything up to `epoch`. */
  markPublished(epoch: number): Promise<void> {
    return this.#environment.write((edits) => {
      const last = this.epoch();
      assert(epoch <= last.epoch, `epoch ${epoch} is not committed, ${last.epoch} is the last`);
      const publishedEpoch = Math.max(last.publishedEpoch, epoch);
      edits.putJson(areaKey(AREA.epoch), { ...last, publishedEpoch });
    });
  }

  /** The packed interval sets of all instruments that have one: proven to be all of them. */
  intervalSets(): InstrumentState[] {
    const codes = new Map(this.instruments().map((i) => [instrumentName(i), i.code]));
    return Array.from(this.#environment.scanArea(AREA.intervals), ({ key, payload }) => {
      const instrument = codes.get(keyText(key));
      if (instrument === undefined) {
        throw new StateCorruptError(this.directory, `${keyText(key)} is not an instrument`);
      }
      return { instrument, intervals: payload };
    });
  }

  /** The packed interval set of one instrument. */
  intervals(instrument: Pick<Instrument, 'exchange' | 'symbol'>): Uint8Array | undefined {
    return this.#environment.get(textKey(AREA.intervals, instrumentName(instrument)));
  }

  /** One candle record; `timeframe` is the index in TIMEFRAMES, `instrument` a code. */
  candle(timeframe: number, instrument: number, windowStartUs: number): Uint8Array | undefined {
    return readCandle(this.#environment, timeframe, instrument, windowStartUs);
  }

  /** Candle records with fromUs <= window start < toUs, in that order. Each is the caller's own. */
  candles(
    timeframe: number,
    instrument: number,
    fromUs: number,
    toUs: number,
    { descending = false }: { readonly descending?: boolean } = {},
  ): Generator<Uint8Array> {
    return scanCandles(this.#environment, timeframe, instrument, fromUs, toUs, descending);
  }

  /** The last `limit` candle records, newest first. */
  latestCandles(timeframe: number, instrument: number, limit: number): Generator<Uint8Array> {
    return scanLatest(this.#environment, timeframe, instrument, limit);
  }

  /** Candle records that are not yet both final and complete: proven to be all of them. */
  pendingCandles(): Generator<Uint8Array> {
    return scanPending(this.#environment);
  }

  /** Live files of a table, or of one of its partitions, by path. */
  files(table: string, options: { readonly partition?: string } = {}): Generator<DataFile> {
    return scanFiles(this.#environment, table, options.partition);
  }

  /** Every live file of every table, by path: proven to be all of them. */
  allFiles(): Generator<DataFile> {
    return scanAllFiles(this.#environment);
  }

  /** A file that is part of its table now. */
  liveFile(path: string): DataFile | undefined {
    return liveFile(this.#environment, path);
  }

  allLivePaths(): Set<string> {
    return new Set(Array.from(scanAllFiles(this.#environment), (file) => file.path));
  }

  removedFiles(): RemovedFile[] {
    return [...scanRemoved(this.#environment)];
  }

  /** Forgets removed files that are published without and gone from the disk. */
  forgetRemoved(paths: readonly string[]): Promise<void> {
    return this.#environment.write((edits) => forgetFiles(edits, paths));
  }

  /** What is remembered of the runs of every maintenance job, oldest first. */
  jobRuns(): JobRun[] {
    const jobs = this.#environment.scanJson(AREA.job);
    return Array.from(jobs, ({ record }) => record as JobRun[]).flat();
  }

  /** Remembers a run, and of the same job's earlier ones the newest. */
  recordJobRun(run: JobRun): Promise<void> {
    const key = textKey(AREA.job, run.job);
    return this.#environment.write((edits) => {
      const earlier = (this.#environment.getJson(key) ?? []) as JobRun[];
      edits.putJson(key, [...earlier, run].slice(-JOB_RUNS_KEPT));
    });
  }

  /** A fact to remember, such as `dlq-replayed` of one dead letter. */
  mark(name: string, key: string): Promise<void> {
    return this.#environment.write((edits) => edits.put(markKey(name, key)));
  }

  hasMark(name: string, key: string): boolean {
    return this.#environment.get(markKey(name, key)) !== undefined;
  }

  /** Proves that no candle record is missing: a range of them is not proven by itself. */
  verifyCandles(): void {
    this.#environment.verifyArea(AREA.candle);
  }

  /** Proves everything that a start reads. */
  verifyCore(): void {
    this.verifyLists();
    for (const _ of this.pendingCandles());
  }

  /**
   * Proves that nothing is missing but candles, for whoever then asks for some of it, and that none of
   * it is of another time than the sums: every epoch that has trades changes files and interval sets.
   */
  verifyLists(): void {
    const lists = [AREA.file, AREA.intervals, AREA.instrument, AREA.removed, AREA.mark, AREA.job];
    for (const area of lists) this.#environment.verifyArea(area);
  }

  /** Reads everything; throws StateCorruptError at the first thing that is wrong. */
  verify(): void {
    this.#environment.verify();
    verifyPending(this.#environment);
  }

  close(): Promise<void> {
    return this.#environment.close();
  }

  #rowsByTable(paths: readonly string[]): Record<string, number> {
    const rows: Record<string, number> = {};
    for (const path of paths) {
      const file = liveFile(this.#environment, path);
      if (file !== undefined) rows[file.table] = (rows[file.table] ?? 0) + file.rows;
    }
    return rows;
  }

  #record<T>(key: Uint8Array, what: string): T {
    const record = this.#environment.getJson(key);
    if (record === undefined) throw new StateCorruptError(this.directory, `${what} is missing`);
    return record as T;
  }
}

function create(directory: string, options: OpenOptions): Promise<Environment> {
  if (options.readOnly) {
    const message = `There is no state in ${directory} yet; start bullion on this data directory first.`;
    throw new UserError(EXIT.noInput, message);
  }
  const first = new Edits();
  first.putJson(areaKey(AREA.identity), newIdentity(options.createdUs));
  first.putJson(areaKey(AREA.epoch), firstEpoch(options.createdUs));
  return Environment.create(options.databases ?? lmdbDatabases, directory, first);
}

function markKey(name: string, key: string): Uint8Array {
  return textKey(AREA.mark, `${name}\0${key}`);
}
