/** Any LakeJob to its staged files: one encoder per kind, made when the first such job comes. */
import type { Instrument } from '#schemas/instrument';
import { BronzeEncoder } from '#src/lake/bronze-encoder';
import { CandleEncoder } from '#src/lake/candle-encoder';
import { DeadLetterEncoder } from '#src/lake/dead-letter-encoder';
import type { FileSink } from '#src/lake/file-sink';
import type { LakeJob } from '#src/lake/job';
import type { StagedFile } from '#src/lake/staged-file';
import { TradeEncoder } from '#src/lake/trade-encoder';

export class LakeEncoder {
  readonly #instruments: readonly Instrument[];
  readonly #sink: FileSink;
  #trades: TradeEncoder | undefined;
  #candles: CandleEncoder | undefined;
  #deadLetters: DeadLetterEncoder | undefined;
  #bronze: BronzeEncoder | undefined;

  constructor(instruments: readonly Instrument[], sink: FileSink) {
    this.#instruments = instruments;
    this.#sink = sink;
  }

  run(job: LakeJob): StagedFile[] {
    switch (job.kind) {
      case 'trades':
        this.#trades ??= new TradeEncoder(this.#instruments, this.#sink);
        return this.#trades.run(job);
      case 'candles':
        this.#candles ??= new CandleEncoder(this.#instruments, this.#sink);
        return this.#candles.run(job);
      case 'dead-letters':
        this.#deadLetters ??= new DeadLetterEncoder(this.#sink);
        return this.#deadLetters.run(job);
      case 'bronze':
        this.#bronze ??= new BronzeEncoder(this.#sink);
        return this.#bronze.run(job);
    }
  }
}
