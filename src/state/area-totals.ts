/**
 * How many records each area holds, and the exclusive-or of their CRCs: the digest of a checkpoint.
 * It finds what a CRC per value cannot: a record that is gone, or one that is an older, valid
 * version of itself. Written in the same transaction as the records it sums.
 */
import { AREA_COUNT } from '#src/state/keys';

/** count float64, digest uint32. */
const TOTAL_BYTES = 12;

export class AreaTotals {
  readonly #counts = new Float64Array(AREA_COUNT);
  readonly #digests = new Uint32Array(AREA_COUNT);

  static parse(bytes: Uint8Array): AreaTotals {
    const totals = new AreaTotals();
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    // Totals written before an area was known end before it: it has no records.
    const known = Math.min(AREA_COUNT, bytes.byteLength / TOTAL_BYTES);
    for (let area = 0; area < known; area++) {
      totals.#counts[area] = view.getFloat64(area * TOTAL_BYTES);
      totals.#digests[area] = view.getUint32(area * TOTAL_BYTES + 8);
    }
    return totals;
  }

  bytes(): Uint8Array {
    const bytes = new Uint8Array(AREA_COUNT * TOTAL_BYTES);
    const view = new DataView(bytes.buffer);
    for (let area = 0; area < AREA_COUNT; area++) {
      view.setFloat64(area * TOTAL_BYTES, this.#counts[area]!);
      view.setUint32(area * TOTAL_BYTES + 8, this.#digests[area]!);
    }
    return bytes;
  }

  add(area: number, seal: number): void {
    this.#counts[area]! += 1;
    this.#digests[area]! ^= seal;
  }

  remove(area: number, seal: number): void {
    this.#counts[area]! -= 1;
    this.#digests[area]! ^= seal;
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
