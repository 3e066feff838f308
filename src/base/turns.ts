/** Work that must not overlap: each piece starts when the one before it has settled. */
export class Turns {
  #last: Promise<unknown> = Promise.resolve();

  take<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#last.then(work);
    this.#last = turn.catch(() => {}); // whoever took the turn hears of it
    return turn;
  }
}
