/**
 * A query worker: a thread of the query pool. It reads committed files and nothing else, gives way to
 * every other thread of the process, and may be ended at any moment.
 */
import { constants, setPriority } from 'node:os';
import { workerData } from 'node:worker_threads';
import { move, transferableSymbol, valueSymbol } from 'piscina';
import { nodeDisk } from '#src/base/node-disk';
import { openCatalog } from '#src/iceberg/open-catalog';
import type { Query, QueryAnswer } from '#src/query/job';
import type { QueryWorkerData } from '#src/query/pool';
import { runQuery } from '#src/query/run-query';
import { openWarehouse } from '#src/warehouse/open-warehouse';

const { warehouse, catalog } = workerData as QueryWorkerData;
const place = {
  warehouse: openWarehouse(nodeDisk(), warehouse),
  catalog: openCatalog(catalog),
};

// 0 is the calling thread on Linux; where it is the process, its threads keep their own.
if (process.platform === 'linux') setPriority(0, constants.priority.PRIORITY_LOW);

export default async function run(query: Query): Promise<QueryAnswer> {
  const answer = await runQuery(place, query);
  if (answer.kind !== 'rows') return answer;
  const { body } = answer;
  const whole = body.byteLength === body.buffer.byteLength ? body : Uint8Array.from(body);
  const moved = { [transferableSymbol]: [whole.buffer], [valueSymbol]: { ...answer, body: whole } };
  return move(moved as never) as unknown as QueryAnswer; // the pool takes it apart again
}
