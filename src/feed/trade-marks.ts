/**
 * How far each instrument's trade ids have come in, and which look missing.
 *
 * Per instrument: the largest id stored (the mark) and at most one suspect range of ids. A range
 * becomes suspect when an id jumps past mark + 1, when a connection was lost (open-ended), or
 * when the exchange says it is further than we are. Ids that arrive late shrink the range again,
 * so two connections overlapping during a rotation cost no request. Ranges are joined, not listed:
 * re-reading trades we have is free, since gold drops duplicates.
 */
export interface SuspectRange {
  readonly lo: number;
  /** Inclusive; Infinity when only the exchange knows how far it has come. */
  readonly hi: number;
  /** Receive time of the last trade stored before the range, us. */
  readonly sinceUs: number;
}

/** Ids below the mark, in a row, after which the exchange must have started its ids anew. */
const BELOW_MARK_MAX = 5_000;
/** Jumps above this are not lost messages but a broken id; the mark follows, nothing is fetched. */
const JUMP_MAX = 50_000_000;
/** Ticks (of a second) between the suspicion and the request. */
const GRACE_TICKS = 3;

export class TradeMarks {
  readonly #mark: Float64Array;
  readonly #markTimeUs: Float64Array;
  readonly #lo: Float64Array;
  readonly #hi: Float64Array;
  readonly #sinceUs: Float64Array;
  /** Tick at which the range became suspect, or last saw ids come in in order. */
  readonly #suspectedTick: Int32Array;
  readonly #belowMark: Int32Array;
  /** 1 once the exchange has started its ids anew below the mark. */
  readonly #startedAnew: Uint8Array;
  /** 1 once a trade has been stored by this run. */
  readonly #noted: Uint8Array;
  #tick = 0;

  constructor(instruments: number) {
    const column = (value: number): Float64Array => new Float64Array(instruments).fill(value);
    this.#mark = column(-1);
    this.#markTimeUs = column(0);
    this.#lo = column(-1);
    this.#hi = column(-1);
    this.#sinceUs = column(0);
    this.#suspectedTick = new Int32Array(instruments);
    this.#belowMark = new Int32Array(instruments);
    this.#startedAnew = new Uint8Array(instruments);
    this.#noted = new Uint8Array(instruments);
  }

  /** Largest id stored, or -1 when none is known. */
  mark(instrument: number): number {
    return this.#mark[instrument] as number;
  }

  /** Whether a trade of the instrument has been stored by this run. */
  isNoted(instrument: number): boolean {
    return this.#noted[instrument] === 1;
  }

  /** The last id an earlier run stored, so that the time between is fetched too. */
  resume(instrument: number, id: number, timeUs: number): void {
    this.#mark[instrument] = id;
    this.#markTimeUs[instrument] = timeUs;
  }

  /** One trade stored. Called per trade: no allocation. */
  note(instrument: number, id: number, receiveTimeUs: number): void {
    this.#noted[instrument] = 1;
    const mark = this.#mark[instrument] as number;
    if (id <= mark) {
      this.#noteBelow(instrument, id, receiveTimeUs);
      return;
    }
    this.#belowMark[instrument] = 0;
    if (id === mark + 1 || mark === -1) {
      if (this.#lo[instrument] !== -1) this.#continue(instrument, id);
    } else if (id - mark <= JUMP_MAX) {
      this.suspect(instrument, mark + 1, id - 1);
    }
    this.#mark[instrument] = id;
    this.#markTimeUs[instrument] = receiveTimeUs;
  }

  /** Ids [firstId, lastId] have come in over REST. */
  fill(instrument: number, firstId: number, lastId: number): void {
    const mark = this.#mark[instrument] as number;
    if (firstId <= mark + 1 && lastId > mark) this.#mark[instrument] = lastId;
    const lo = this.#lo[instrument] as number;
    if (lo === -1) return;
    // Suspected again while the answer was on its way.
    if (firstId <= lo && lo <= lastId) this.#lo[instrument] = lastId + 1;
    const hi = this.#hi[instrument] as number;
    if (firstId <= hi && hi <= lastId) this.#hi[instrument] = firstId - 1;
    this.#clearIfEmpty(instrument);
  }

  /** Marks [lo, hi] as possibly missing. Nothing happens before the first trade of an instrument. */
  suspect(instrument: number, lo: number, hi: number): void {
    if (this.#mark[instrument] === -1) return;
    this.#suspectSince(instrument, lo, hi, this.#markTimeUs[instrument] as number);
  }

  /**
   * Marks [lo, hi], a gap between trades stored, the earlier one at `sinceUs`. It can lie above the
   * mark, where an earlier life got further than the late trade that came in first in this one; but
   * not when the exchange has started its ids anew: above are the old ones. Answers whether it will
   * be fetched.
   */
  suspectGap(instrument: number, lo: number, hi: number, sinceUs: number): boolean {
    const isOld = this.#startedAnew[instrument] === 1 && hi >= this.mark(instrument);
    if (hi - lo >= JUMP_MAX || isOld) return false;
    // An open-ended range stays open: a gap of before says nothing of how far the exchange is.
    const isOpen = this.#lo[instrument] !== -1 && this.#hi[instrument] === Number.POSITIVE_INFINITY;
    this.#suspectSince(instrument, lo, isOpen ? Number.POSITIVE_INFINITY : hi, sinceUs);
    return true;
  }

  #suspectSince(instrument: number, lo: number, hi: number, sinceUs: number): void {
    if (lo > hi) return;
    const oldLo = this.#lo[instrument] as number;
    if (oldLo === -1) {
      this.#lo[instrument] = lo;
      this.#hi[instrument] = hi;
      this.#sinceUs[instrument] = sinceUs;
      this.#suspectedTick[instrument] = this.#tick;
      return;
    }
    const oldSinceUs = this.#sinceUs[instrument] as number;
    // Of two times for the same id the earlier one: that of a late trade says too little.
    if (lo < oldLo) this.#sinceUs[instrument] = sinceUs;
    else if (lo === oldLo) this.#sinceUs[instrument] = Math.min(oldSinceUs, sinceUs);
    const oldHi = this.#hi[instrument] as number;
    this.#lo[instrument] = Math.min(oldLo, lo);
    // A jump tells where an open-ended range ends.
    const closes = oldHi === Number.POSITIVE_INFINITY && hi >= oldLo;
    this.#hi[instrument] = closes ? hi : Math.max(oldHi, hi);
  }

  /** Everything after the mark may be missing. */
  suspectTail(instrument: number): void {
    this.suspect(instrument, this.mark(instrument) + 1, Number.POSITIVE_INFINITY);
  }

  /** Time passes: a range is ripe `GRACE_TICKS` calls after it became suspect. */
  tick(): void {
    this.#tick++;
  }

  /** Takes the range of `instrument` if it is ripe: ids merely out of order have come in by then. */
  take(instrument: number): SuspectRange | undefined {
    const lo = this.#lo[instrument] as number;
    const age = this.#tick - (this.#suspectedTick[instrument] as number);
    if (lo === -1 || age < GRACE_TICKS) return undefined;
    const range = {
      lo,
      hi: this.#hi[instrument] as number,
      sinceUs: this.#sinceUs[instrument] as number,
    };
    this.#clear(instrument);
    return range;
  }

  /** The id after the mark came in while a range is suspect. */
  #continue(instrument: number, id: number): void {
    if (this.#hi[instrument] === Number.POSITIVE_INFINITY) {
      // The first trade after a lost connection follows on: nothing was missed since the mark.
      this.#hi[instrument] = id - 1;
    } else if (this.#lo[instrument] === id) {
      // The exchange said it is further than we are, and we are catching up.
      this.#lo[instrument] = id + 1;
      this.#suspectedTick[instrument] = this.#tick;
    }
    this.#clearIfEmpty(instrument);
  }

  #noteBelow(instrument: number, id: number, receiveTimeUs: number): void {
    if (id === this.#lo[instrument]) {
      this.#lo[instrument] = id + 1;
      this.#clearIfEmpty(instrument);
    } else if (id === this.#hi[instrument]) {
      this.#hi[instrument] = id - 1;
      this.#clearIfEmpty(instrument);
    } else if (++this.#belowMark[instrument]! > BELOW_MARK_MAX) {
      this.#belowMark[instrument] = 0;
      this.#startedAnew[instrument] = 1;
      this.#clear(instrument);
      this.resume(instrument, id, receiveTimeUs);
    }
  }

  #clearIfEmpty(instrument: number): void {
    if ((this.#lo[instrument] as number) > (this.#hi[instrument] as number))
      this.#clear(instrument);
  }

  #clear(instrument: number): void {
    this.#lo[instrument] = -1;
    this.#hi[instrument] = -1;
  }
}
