/**
 * Barrier alignment: when epoch n has reached every input of a stage.
 *
 * An input that has delivered barrier n is not read again until all others have delivered it too, so
 * nothing of epoch n + 1 is mixed into the state that epoch n hands over.
 */
import { assert } from '#src/base/errors';

export class BarrierAlignment {
  readonly #waiting: boolean[];
  #epoch = 0;
  #arrived = 0;

  constructor(inputs: number) {
    this.#waiting = new Array<boolean>(inputs).fill(false);
  }

  /** Whether `input` has delivered the barrier and must rest until the others have. */
  rests(input: number): boolean {
    return this.#waiting[input] as boolean;
  }

  /** Notes barrier `epoch` on `input`; true when it was the last one, and all inputs go on. */
  arrive(input: number, epoch: number): boolean {
    assert(
      this.#arrived === 0 || epoch === this.#epoch,
      `barrier ${epoch} on input ${input} while aligning epoch ${this.#epoch}`,
    );
    this.#epoch = epoch;
    this.#waiting[input] = true;
    this.#arrived++;
    if (this.#arrived < this.#waiting.length) return false;
    this.#arrived = 0;
    this.#waiting.fill(false);
    return true;
  }
}
