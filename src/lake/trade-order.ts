/**
 * The order in which the rows of a batch go to their files: grouped by UTC hour of trade time, then
 * by (symbol, trade time, trade id); rows equal in all of these keep their order in the batch.
 *
 * Rows are counted into (hour, instrument) buckets first. Within one instrument they arrive in time
 * order but for a few, so a merge sort that takes the runs it finds is then close to linear.
 */
import type { Instrument } from '#schemas/instrument';
import { loadInt64 } from '#src/base/int64';
import type { TradeBatch } from '#src/columns/trade-batch';
import { HOUR_US } from '#src/lake/partition';

export interface HourGroup {
  /** Hours since the epoch. */
  readonly hour: number;
  /** Its rows are order[first .. first + count). */
  readonly first: number;
  readonly count: number;
}

export interface TradeOrder {
  readonly order: Int32Array;
  readonly groups: readonly HourGroup[];
}

/** Where each instrument stands by (symbol, exchange), and which symbol that place has. */
export class SymbolOrder {
  /** Distinct symbols, ascending. */
  readonly symbols: readonly string[];
  /** By instrument code. */
  readonly place: Int32Array;
  /** By instrument code: index in `symbols`. */
  readonly symbol: Int32Array;
  /** By place: index in `symbols`. */
  readonly symbolAtPlace: Int32Array;

  constructor(instruments: readonly Instrument[]) {
    this.symbols = [...new Set(instruments.map((i) => i.symbol))].sort();
    const codes = Math.max(-1, ...instruments.map((i) => i.code)) + 1;
    this.place = new Int32Array(codes).fill(-1);
    this.symbol = new Int32Array(codes).fill(-1);
    this.symbolAtPlace = new Int32Array(instruments.length);
    const sorted = [...instruments].sort(
      (a, b) => compareText(a.symbol, b.symbol) || compareText(a.exchange, b.exchange),
    );
    for (const [place, { code, symbol }] of sorted.entries()) {
      this.place[code] = place;
      this.symbol[code] = this.symbols.indexOf(symbol);
      this.symbolAtPlace[place] = this.symbol[code];
    }
  }
}

export function orderTrades(batch: TradeBatch, rows: number, symbols: SymbolOrder): TradeOrder {
  const hours = distinctHours(batch, rows);
  const slotOf = new Map(hours.map((hour, slot) => [hour, slot]));
  const places = symbols.symbolAtPlace.length;
  const bucket = new Int32Array(rows);
  const ends = new Int32Array(hours.length * places);
  let lastHour = Number.NaN;
  let slot = 0;
  for (let row = 0; row < rows; row++) {
    const hour = Math.floor(loadInt64(batch.time, row) / HOUR_US);
    if (hour !== lastHour) {
      lastHour = hour;
      slot = slotOf.get(hour) as number;
    }
    const at = slot * places + symbols.place[batch.instrument[row]];
    bucket[row] = at;
    ends[at]++;
  }
  const starts = ends; // a bucket's count becomes its start, then, as it fills, its end
  let sum = 0;
  for (let at = 0; at < starts.length; at++) {
    const count = starts[at];
    starts[at] = sum;
    sum += count;
  }
  const order = new Int32Array(rows);
  for (let row = 0; row < rows; row++) order[starts[bucket[row]]++] = row;

  const sorter = new RunSorter(batch, order);
  const groups: HourGroup[] = [];
  let first = 0;
  for (const [slot, hour] of hours.entries()) {
    let segment = first;
    for (let place = 0; place < places; place++) {
      const end = ends[slot * places + place];
      const more = symbols.symbolAtPlace[place + 1] === symbols.symbolAtPlace[place];
      if (more) continue; // the same symbol on another exchange belongs to this segment
      sorter.sort(segment, end);
      segment = end;
    }
    groups.push({ hour, first, count: segment - first });
    first = segment;
  }
  return { order, groups };
}

function distinctHours(batch: TradeBatch, rows: number): number[] {
  const hours = new Set<number>();
  let last = Number.NaN;
  for (let row = 0; row < rows; row++) {
    const hour = Math.floor(loadInt64(batch.time, row) / HOUR_US);
    if (hour !== last) hours.add(hour);
    last = hour;
  }
  return [...hours].sort((a, b) => a - b);
}

/** Stable natural merge sort of pieces of `order` by (time, trade id). */
class RunSorter {
  readonly #time: Int32Array;
  readonly #id: Int32Array;
  readonly #order: Int32Array;
  #spare: Int32Array = new Int32Array(0);

  constructor(batch: TradeBatch, order: Int32Array) {
    this.#time = batch.time;
    this.#id = batch.tradeId;
    this.#order = order;
  }

  sort(first: number, end: number): void {
    const order = this.#order;
    let runs = [first];
    for (let i = first + 1; i < end; i++) {
      if (this.#after(order[i - 1], order[i])) runs.push(i);
    }
    if (runs.length === 1) return;
    if (this.#spare.length === 0) this.#spare = new Int32Array(order.length);
    let from: Int32Array = order;
    let to: Int32Array = this.#spare;
    while (runs.length > 1) {
      const merged: number[] = [];
      for (let r = 0; r < runs.length; r += 2) {
        const a = runs[r];
        const b = runs[r + 1] ?? end;
        this.#merge(from, to, a, b, runs[r + 2] ?? end);
        merged.push(a);
      }
      runs = merged;
      [from, to] = [to, from];
    }
    if (from !== order) order.set(from.subarray(first, end), first);
  }

  #merge(from: Int32Array, to: Int32Array, first: number, middle: number, end: number): void {
    let a = first;
    let b = middle;
    for (let at = first; at < end; at++) {
      const takeB = a === middle || (b < end && this.#after(from[a], from[b]));
      to[at] = takeB ? from[b++] : from[a++];
    }
  }

  /** Whether row a comes after row b. */
  #after(a: number, b: number): boolean {
    const timeA = loadInt64(this.#time, a);
    const timeB = loadInt64(this.#time, b);
    if (timeA !== timeB) return timeA > timeB;
    return loadInt64(this.#id, a) > loadInt64(this.#id, b);
  }
}

function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
