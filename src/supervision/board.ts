/**
 * The instrument board of a process: which actor has which row.
 */
import { BOARD_BYTES_PER_ACTOR } from '#src/runtime/counters';

export class Board {
  readonly memory: SharedArrayBuffer;
  readonly #rows: ReadonlyMap<string, number>;

  constructor(actorIds: readonly string[]) {
    this.memory = new SharedArrayBuffer(actorIds.length * BOARD_BYTES_PER_ACTOR);
    this.#rows = new Map(actorIds.map((id, row) => [id, row]));
  }

  row = (id: string): number => {
    const row = this.#rows.get(id);
    if (row === undefined) throw new Error(`no actor ${id} on the board`);
    return row;
  };
}
