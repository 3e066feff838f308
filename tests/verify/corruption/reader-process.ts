/**
 * Asks a damaged directory everything, in a process that may die of it. Takes `{ dataDir, areas }`
 * over its channel, answers with the answers, and waits for the next.
 */
import { type Answers, type Area, answersOf } from '#tests/verify/corruption/questions';

export interface ReadRequest {
  readonly dataDir: string;
  readonly areas: readonly Area[];
  /** One log or table. */
  readonly part?: string;
}

process.on('message', (request: ReadRequest) => {
  answersOf(request.dataDir, request.areas, request.part).then(
    (answers: Answers) => process.send?.(answers),
    (error: unknown) => process.send?.({ reader: { thrown: String((error as Error).stack) } }),
  );
});
process.on('disconnect', () => process.exit(0));
// lmdb-js may reject where nobody waits: the answer says so instead of the process ending.
process.on('unhandledRejection', (error) => {
  process.send?.({ reader: { thrown: String((error as Error).stack) } });
});
