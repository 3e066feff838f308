/**
 * History: questions about committed files, asked of the query pool. A file that maintenance deleted
 * meanwhile means that its table is made of other files by now: the question is asked again of those.
 */
import { Problem } from '#src/api/problem';
import type { DataFile } from '#src/lake/table-reader';
import type { Query, QueryAnswer, RowsAnswer, RowsQuery } from '#src/query/job';
import type { Overrun } from '#src/query/pool';
import type { BoundedFile } from '#src/query/trade-filter';

/** A table of one epoch. */
export interface CommittedFiles {
  readonly epoch: number;
  readonly committedUs: number;
  readonly files: readonly BoundedFile[];
}

export interface HistorySource {
  /** Files of a table whose partitions may hold times in [fromUs, toUs). */
  files(table: string, fromUs: number, toUs: number): Promise<CommittedFiles>;
  /** The SHA-256 that was committed of each file, where it is still known. */
  withDigests(files: readonly DataFile[]): readonly DataFile[];
  run(query: Query): Promise<QueryAnswer | Overrun>;
}

const TRIES = 3;

const OVERRUNS: Readonly<Record<Overrun, Problem>> = {
  busy: new Problem(503, 'As many history queries as are allowed are running; try again.', {
    'retry-after': '1',
  }),
  timeout: new Problem(503, 'The query took longer than is allowed and was ended: ask for less.'),
  memory: new Problem(503, 'The query took more memory than is allowed: ask for less.'),
};

export interface HistoryAnswer extends RowsAnswer {
  readonly view: CommittedFiles;
}

export class History {
  readonly #source: HistorySource;
  readonly #onFailure: (error: unknown) => void;

  constructor(source: HistorySource, onFailure: (error: unknown) => void) {
    this.#source = source;
    this.#onFailure = onFailure;
  }

  /** Asks about `table` in [fromUs, toUs); `query` makes the question of its files. */
  async ask(
    table: string,
    fromUs: number,
    toUs: number,
    query: (view: CommittedFiles) => RowsQuery,
  ): Promise<HistoryAnswer> {
    for (let tries = 1; ; tries++) {
      const view = await this.#source.files(table, fromUs, toUs);
      const answer = await this.#source.run(query(view));
      if (typeof answer === 'object' && answer.kind === 'gone' && tries < TRIES) continue;
      return { ...this.#rows(answer), view };
    }
  }

  /** Asks about a table as one of its snapshots showed it. */
  async askSnapshot(
    table: string,
    snapshotId: number,
    query: (files: readonly DataFile[]) => RowsQuery,
  ): Promise<RowsAnswer> {
    const listed = await this.#source.run({ kind: 'snapshot-files', table, snapshotId });
    if (typeof listed === 'string' || listed.kind !== 'files') return this.#rows(listed);
    const answer = await this.#source.run(query(this.#source.withDigests(listed.files)));
    if (typeof answer === 'object' && answer.kind === 'gone') {
      throw new Problem(410, `Snapshot ${snapshotId} of ${table} is no longer kept.`);
    }
    return this.#rows(answer);
  }

  /** Asks what needs no files of its own. */
  async askDirectly(query: RowsQuery): Promise<RowsAnswer> {
    return this.#rows(await this.#source.run(query));
  }

  #rows(answer: QueryAnswer | Overrun): RowsAnswer {
    if (typeof answer === 'string') throw OVERRUNS[answer];
    switch (answer.kind) {
      case 'rows':
        return answer;
      case 'missing':
        throw new Problem(404, answer.sentence);
      case 'refused':
        throw new Problem(400, answer.sentence);
      case 'gone':
        throw new Problem(503, 'The tables are being changed: try again.', { 'retry-after': '1' });
      case 'damaged':
        this.#onFailure(new Error(answer.sentence));
        throw new Problem(500, 'A data file is damaged; the log of the server names it.');
      default:
        throw new Error(`a query answered with ${answer.kind}`);
    }
  }
}
