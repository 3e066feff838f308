/**
 * How many records each area holds, and the exclusive-or of their mixed CRCs: the digest of a
 * checkpoint. It finds what a CRC per value cannot: a record that is gone, or one that is an older,
 * valid version of itself. Written in the same transaction as the records it sums.
 *
 * CRCs are linear: two records that change by the same bits change theirs by the same bits, and an
 * exclusive-or of both forgets the change. An instrument's 1h and 4h candles do that all the time, so
 * each CRC is mixed before. States of format 1 were not; theirs stay as they are until a rebuild.
 */
import { AREA_COUNT } from '#src/state/keys';

/** count float64, digest uint32. */
const TOTAL_BYTES = 12;
/** So many zeros behind the totals say that CRCs are mixed. */
const MIXED_MARK_BYTES = 4;

/** MurmurHash3's finalizer: not linear, one to one. */
function mixed(crc: number): number {
  let h = crc ^ (crc >>> 16);
  h = Math.imul(h, 0x85ebca6b);
  h ^= h >>> 13;
  h = Math.imul(h, 0xc2b2ae35);
  return h ^ (h >>> 16);
}

export class AreaTotals {
  readonly #isMixed: boolean;
  readonly #counts = new Float64Array(AREA_COUNT);
  readonly #digests = new Uint32Array(AREA_COUNT);

  constructor(isMixed = true) {
    this.#isMixed = isMixed;
  }

  /** Empty totals of the same kind. */
  fresh(): AreaTotals {
    return new AreaTotals(this.#isMixed);
  }

  static parse(bytes: Uint8Array): AreaTotals {
    const totals = new AreaTotals(bytes.byteLength % TOTAL_BYTES === MIXED_MARK_BYTES);
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    // Totals written before an area was known end before it: it has no records.
    const known = Math.min(AREA_COUNT, Math.floor(bytes.byteLength / TOTAL_BYTES));
    for (let area = 0; area < known; area++) {
      totals.#counts[area] = view.getFloat64(area * TOTAL_BYTES);
      totals.#digests[area] = view.getUint32(area * TOTAL_BYTES + 8);
    }
    return totals;
  }

  bytes(): Uint8Array {
    const bytes = new Uint8Array(AREA_COUNT * TOTAL_BYTES + (this.#isMixed ? MIXED_MARK_BYTES : 0));
    const view = new DataView(bytes.buffer);
    for (let area = 0; area < AREA_COUNT; area++) {
      view.setFloat64(area * TOTAL_BYTES, this.#counts[area]!);
      view.setUint32(area * TOTAL_BYTES + 8, this.#digests[area]!);
    }
    return bytes;
  }

  add(area: number, seal: number): void {
    this.#counts[area]! += 1;
    this.#digests[area]! ^= this.#isMixed ? mixed(seal) : seal;
  }

  remove(area: number, seal: number): void {
    this.#counts[area]! -= 1;
    this.#digests[area]! ^= this.#isMixed ? mixed(seal) : seal;
  }

  count(area: number): number {
    return this.#counts[area]!;
  }

  equals(area: number, other: AreaTotals): boolean {
    return (
      this.#counts[area] === other.#counts[area] && this.#digests[area] === other.#digests[area]
    );
  }
}
