/**
 * The newest committed candles of the series that are asked for, kept until the next epoch: only a
 * commit changes them, and looking whether there was one takes a twentieth of reading them again.
 */
import { TIMEFRAMES, type Timeframe } from '#schemas/timeframe';
import { type CandleRecord, windowStartOf } from '#src/output/candle-row';

/** The part of the state store that is read here. */
export interface CandleStore {
  /** The epoch's record as it is stored: the same bytes mean the same candles. */
  epochBytes(): Uint8Array;
  candles(
    timeframe: number,
    instrument: number,
    fromUs: number,
    toUs: number,
    options: { readonly descending: boolean },
  ): Iterable<CandleRecord>;
}

/** Records of a series, newest first, as far as somebody asked. */
interface Kept {
  readonly epoch: Uint8Array;
  readonly records: CandleRecord[];
  /** Whether there are no older ones. */
  isWhole: boolean;
}

/** 256 x 128 x 176 bytes: 6 MiB at most. */
const SERIES_MAX = 256;
const RECORDS_MAX = 128;

export class CommittedCandles {
  readonly #store: CandleStore;
  readonly #kept = new Map<number, Kept>();

  constructor(store: CandleStore) {
    this.#store = store;
  }

  /** As `CandleReaders.committed`; has to be read at once, like every scan of the store. */
  *read(
    timeframe: Timeframe,
    instrument: number,
    fromUs: number,
    toUs: number,
    descending: boolean,
  ): Generator<CandleRecord> {
    const index = TIMEFRAMES.indexOf(timeframe);
    if (!descending || fromUs > 0 || toUs < Number.MAX_SAFE_INTEGER) {
      yield* this.#store.candles(index, instrument, fromUs, toUs, { descending });
      return;
    }
    const kept = this.#series(instrument * TIMEFRAMES.length + index);
    const { records } = kept;
    for (let i = 0; i < records.length; i++) yield records[i] as CandleRecord;
    if (kept.isWhole) return;
    const oldest = records.at(-1);
    const beforeUs = oldest === undefined ? toUs : windowStartOf(oldest);
    for (const record of this.#store.candles(index, instrument, 0, beforeUs, { descending })) {
      if (records.length < RECORDS_MAX) records.push(record);
      yield record;
    }
    kept.isWhole = records.length < RECORDS_MAX;
  }

  #series(key: number): Kept {
    const epoch = this.#store.epochBytes();
    let kept = this.#kept.get(key);
    if (kept === undefined || Buffer.compare(kept.epoch, epoch) !== 0) {
      kept = { epoch, records: [], isWhole: false };
    }
    // Last in the map is used last.
    this.#kept.delete(key);
    this.#kept.set(key, kept);
    if (this.#kept.size > SERIES_MAX) this.#kept.delete(this.#kept.keys().next().value as number);
    return kept;
  }
}
