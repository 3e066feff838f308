/** Messages held back, by the key (a time, or a message number) at which they are to go out. */
export interface HeldMessage {
  readonly key: number;
  readonly instrument: number;
  readonly first: number;
  readonly count: number;
}

/** A binary heap; equal keys leave in the order they came. */
export class LateQueue {
  readonly #heap: { message: HeldMessage; arrival: number }[] = [];
  #arrivals = 0;

  get size(): number {
    return this.#heap.length;
  }

  /** The smallest key, or Infinity when nothing is held. */
  get nextKey(): number {
    return this.#heap[0]?.message.key ?? Number.POSITIVE_INFINITY;
  }

  push(message: HeldMessage): void {
    const heap = this.#heap;
    heap.push({ message, arrival: this.#arrivals++ });
    let at = heap.length - 1;
    while (at > 0) {
      const parent = (at - 1) >>> 1;
      if (!this.#before(at, parent)) break;
      this.#swap(at, parent);
      at = parent;
    }
  }

  pop(): HeldMessage | undefined {
    const heap = this.#heap;
    const top = heap[0]?.message;
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return top;
    heap[0] = last;
    for (let at = 0; ; ) {
      let least = at;
      for (const child of [2 * at + 1, 2 * at + 2]) {
        if (child < heap.length && this.#before(child, least)) least = child;
      }
      if (least === at) return top;
      this.#swap(at, least);
      at = least;
    }
  }

  #before(i: number, j: number): boolean {
    const a = this.#heap[i]!;
    const b = this.#heap[j]!;
    return (
      a.message.key < b.message.key || (a.message.key === b.message.key && a.arrival < b.arrival)
    );
  }

  #swap(i: number, j: number): void {
    const held = this.#heap[i]!;
    this.#heap[i] = this.#heap[j]!;
    this.#heap[j] = held;
  }
}
