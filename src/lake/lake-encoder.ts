/** Any LakeJob to its staged files: one encoder per kind, made when the first such job comes. */
import type { Instrument } from '#schemas/instrument';
import { CandleEncoder } from './candle-encoder.js';
import { DeadLetterEncoder } from './dead-letter-encoder.js';
import type { FileSink } from './file-sink.js';
import type { LakeJob } from './job.js';
import type { StagedFile } from './staged-file.js';
import { TradeEncoder } from './trade-encoder.js';

export class LakeEncoder {
  readonly #instruments: readonly Instrument[];
  readonly #sink: FileSink;
  #trades: TradeEncoder | undefined;
  #candles: CandleEncoder | undefined;
  #deadLetters: DeadLetterEncoder | undefined;

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
    }
  }
}
