/**
 * Epochs: one atomic step of the whole pipeline.
 *
 *   barrier n -> every stage reports -> bronze fsynced up to the positions -> sealed segments below
 *   them encoded for the bronze tables -> ONE state transaction (the commit point) -> publish (a
 *   commit per table) -> marked published
 *
 * The coordinator owns the order of these steps and nothing else; the steps themselves come in as
 * functions. One epoch is under way at a time; a crash before the commit point leaves epoch n - 1,
 * a crash after it is finished by recovery.
 */

import { EXCHANGES } from '#schemas/exchange';
import { assert } from '#src/base/errors';
import { mark } from '#src/base/marks';
import type { StagedFile } from '#src/lake/staged-file';
import type {
  CandleReport,
  EpochReport,
  ExchangeProgress,
  GoldReport,
  ValidationReport,
} from '#src/runtime/epoch-report';
import type { EpochCommit, ExchangeGold } from '#src/state/epoch-record';
import type { BronzeShare } from '#src/supervision/bronze-tables';

/** Everything that becomes durable together; the time is added where it is committed. */
export type EpochShare = Omit<EpochCommit, 'committedUs'>;

export interface EpochSteps {
  /** Asks every validation shard to send barrier `epoch`. */
  readonly barrier: (epoch: number) => void;
  /** Resolves once bronze is on disk up to these positions. */
  readonly syncBronze: (progress: readonly ExchangeProgress[]) => Promise<void>;
  /** Makes data files of the sealed segments these positions cover. */
  readonly tableBronze: (progress: readonly ExchangeProgress[]) => Promise<BronzeShare>;
  /** The commit point: resolves once the epoch is durable. */
  readonly commit: (share: EpochShare) => Promise<void>;
  /** Makes the committed epoch, which added `files`, the visible one; repeating it after a crash does no harm. */
  readonly publish: (epoch: number, files: readonly StagedFile[]) => Promise<void>;
}

export interface EpochShape {
  readonly validationShards: number;
  readonly goldShards: number;
}

interface Running {
  readonly epoch: number;
  readonly validation: ValidationReport[];
  readonly gold: GoldReport[];
  readonly candles: CandleReport[];
  readonly resolve: (epoch: number) => void;
  readonly reject: (error: unknown) => void;
}

export class EpochCoordinator {
  readonly #steps: EpochSteps;
  readonly #shape: EpochShape;
  /** Gold totals when this generation of the processing group started. */
  readonly #base: readonly ExchangeGold[];
  #last: number;
  #running: Running | undefined;
  #finishing: Promise<unknown> = Promise.resolve();
  #committing = false;
  #stopped: Error | undefined;

  constructor(steps: EpochSteps, shape: EpochShape, last: number, base: readonly ExchangeGold[]) {
    this.#steps = steps;
    this.#shape = shape;
    this.#last = last;
    this.#base = base;
  }

  /** The newest durable epoch; 0 before the first. */
  get last(): number {
    return this.#last;
  }

  get running(): boolean {
    return this.#running !== undefined;
  }

  /** Runs the next epoch; resolves with its number once it is durable and published. */
  run(): Promise<number> {
    if (this.#stopped !== undefined) return Promise.reject(this.#stopped);
    assert(this.#running === undefined, `epoch ${this.#running?.epoch} is still under way`);
    const epoch = this.#last + 1;
    return new Promise<number>((resolve, reject) => {
      this.#running = { epoch, validation: [], gold: [], candles: [], resolve, reject };
      this.#steps.barrier(epoch);
    });
  }

  /** Takes a stage's report; the last one of an epoch sets the commit going. */
  report(report: EpochReport): void {
    const running = this.#running;
    if (this.#stopped !== undefined || running === undefined) return; // of an abandoned generation
    assert(
      report.epoch === running.epoch,
      `${report.stage} ${report.shard} reported epoch ${report.epoch} during ${running.epoch}`,
    );
    if (report.stage === 'validation') running.validation.push(report);
    else if (report.stage === 'gold') running.gold.push(report);
    else running.candles.push(report);
    const { validationShards, goldShards } = this.#shape;
    const complete =
      running.validation.length === validationShards &&
      running.gold.length === goldShards &&
      running.candles.length === 1;
    if (complete) {
      this.#committing = true;
      this.#finishing = this.#finish(running).then(running.resolve, running.reject);
    }
  }

  /**
   * The group is going down: gives up an epoch that is still waiting for reports, lets one that is
   * being committed come to its end, and refuses later ones.
   */
  async stop(reason: Error): Promise<void> {
    this.#stopped = reason;
    if (this.#running !== undefined) {
      mark(
        this.#committing
          ? 'epoch: committed while its group was ending'
          : 'epoch: given up before its commit',
      );
    }
    if (!this.#committing) this.#running?.reject(reason);
    await this.#finishing;
    this.#running = undefined;
  }

  async #finish(running: Running): Promise<number> {
    const { epoch, validation, gold, candles } = running;
    const progress = validation.flatMap((report) => report.progress);
    await this.#steps.syncBronze(progress);
    const { files: bronzeFiles, bronze } = await this.#steps.tableBronze(progress);
    const staged = [...validation, ...gold, ...candles].flatMap((report) => report.files);
    const files = [...bronzeFiles, ...staged];
    await this.#steps.commit({
      epoch,
      progress,
      bronze,
      gold: this.#goldTotals(gold),
      instruments: gold.flatMap((report) => report.instruments),
      candles: (candles[0] as CandleReport).records,
      files,
    });
    this.#last = epoch;
    await this.#steps.publish(epoch, files);
    this.#running = undefined;
    this.#committing = false;
    return epoch;
  }

  #goldTotals(reports: readonly GoldReport[]): ExchangeGold[] {
    return EXCHANGES.map((exchange) => {
      const base = this.#base.find((total) => total.exchange === exchange);
      const counts = reports.flatMap((report) => report.counts);
      const mine = counts.filter((count) => count.exchange === exchange);
      return {
        exchange,
        trades: mine.reduce((sum, { trades }) => sum + trades, base?.trades ?? 0),
        duplicates: mine.reduce((sum, { duplicates }) => sum + duplicates, base?.duplicates ?? 0),
      };
    });
  }
}
