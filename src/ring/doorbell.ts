/**
 * A doorbell: one shared word per actor that whoever gives it work rings.
 *
 * The actor reads the count before it looks for work and sleeps only if the count is still the
 * same, so a ring between looking and sleeping is never missed. `rest` leaves the event loop free:
 * control messages and timers run while an actor waits.
 */
export class Doorbell {
  readonly #words: Int32Array;
  readonly #index: number;

  constructor(memory: SharedArrayBuffer, byteOffset: number) {
    this.#words = new Int32Array(memory);
    this.#index = byteOffset / 4;
  }

  ring(): void {
    Atomics.add(this.#words, this.#index, 1);
    Atomics.notify(this.#words, this.#index);
  }

  get count(): number {
    return Atomics.load(this.#words, this.#index);
  }

  /** Resolves once the count is no longer `seen`, or after `timeoutMs`. */
  async rest(seen: number, timeoutMs: number): Promise<void> {
    const wait = Atomics.waitAsync(this.#words, this.#index, seen, timeoutMs);
    if (wait.async) await wait.value;
  }
}
