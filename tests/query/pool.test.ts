/** The query pool when queries misbehave, and history when files are deleted under it. */
import assert from 'node:assert/strict';
import { after, describe, it } from 'node:test';
import { History, type HistorySource } from '#src/api/history';
import { loadConfig } from '#src/config/load';
import { PACKAGE_ROOT } from '#src/config/package-root';
import { FILE_CATALOG } from '#src/iceberg/file-catalog';
import type { Query, QueryAnswer } from '#src/query/job';
import { type Overrun, QueryPool } from '#src/query/pool';
import { runQuery } from '#src/query/run-query';
import { DiskWarehouse } from '#src/warehouse/disk-warehouse';
import { MemoryDisk } from '#tests/support/memory-disk';

const query = (kind: string) => ({ kind }) as unknown as Query;

describe('the query pool', { timeout: 120_000 }, () => {
  const pool = new QueryPool({
    worker: new URL('./unruly.worker.js', import.meta.url),
    warehouse: { kind: 'disk', dir: '/nowhere' },
    catalog: loadConfig({ env: {}, cwd: PACKAGE_ROOT }).catalog,
    concurrency: 2,
    timeoutMs: 2_000,
    memoryMb: 64,
  });
  after(() => pool.destroy());

  const answers = async (): Promise<void> => {
    const answer = await pool.run(query('answer'));
    assert.equal(typeof answer === 'object' && answer.kind, 'rows');
  };

  it('ends a query that takes too long, and goes on', async () => {
    await answers();
    assert.equal(await pool.run(query('hang')), 'timeout');
    await answers();
  });

  it('ends a query that takes too much memory, and goes on', async () => {
    assert.equal(await pool.run(query('eat')), 'memory');
    await answers();
  });

  it('refuses one more than it may run: n - 1 and n run, n + 1 does not', async () => {
    const [first, second, third] = await Promise.all([
      pool.run(query('hang')),
      pool.run(query('answer')),
      pool.run(query('answer')),
    ]);
    assert.equal(first, 'timeout');
    assert.equal((second as QueryAnswer).kind, 'rows');
    assert.equal(third, 'busy');
    await answers();
  });

  it('lets a bug be a bug', async () => {
    await assert.rejects(pool.run(query('throw')), /a bug/);
    await answers();
  });
});

describe('history', () => {
  const rows: QueryAnswer = { kind: 'rows', body: new Uint8Array(), rows: 0 };
  const source = (answers: (QueryAnswer | Overrun)[]) => {
    let views = 0;
    const fake: HistorySource = {
      files: async () => ({ epoch: ++views, committedUs: 0, files: [] }),
      withDigests: (files) => files,
      run: async () => answers.shift() as QueryAnswer,
    };
    return { history: new History(fake, () => {}), views: () => views };
  };
  const ask = (history: History) =>
    history.ask('gold_crypto_trades', 0, 1, () => query('trades') as never);

  it('asks again of the newer files when one was deleted meanwhile', async () => {
    const { history, views } = source([{ kind: 'gone' }, { kind: 'gone' }, rows]);
    const answer = await ask(history);
    assert.equal(answer.view.epoch, 3, 'the rows are of the newest view');
    assert.equal(views(), 3);
  });

  it('gives up with a sentence rather than with wrong rows', async () => {
    const gone: QueryAnswer = { kind: 'gone' };
    await assert.rejects(ask(source([gone, gone, gone]).history), { status: 503 });
    await assert.rejects(ask(source(['busy']).history), { status: 503 });
    await assert.rejects(ask(source(['timeout']).history), { status: 503 });
    await assert.rejects(ask(source(['memory']).history), { status: 503 });
    const missing: QueryAnswer = { kind: 'missing', sentence: 'There is none.' };
    await assert.rejects(ask(source([missing]).history), { status: 404 });
    const refused: QueryAnswer = { kind: 'refused', sentence: 'Too much.' };
    await assert.rejects(ask(source([refused]).history), { status: 400 });
    const damaged: QueryAnswer = { kind: 'damaged', sentence: '/secret/path is damaged' };
    await assert.rejects(ask(source([damaged]).history), (error: Error) => {
      assert.doesNotMatch(error.message, /secret/);
      return true;
    });
  });

  it('says of a deleted snapshot that it is gone', async () => {
    const files: QueryAnswer = { kind: 'files', files: [] };
    const { history } = source([files, { kind: 'gone' }]);
    const asked = history.askSnapshot('gold_crypto_trades', 1, () => query('trades') as never);
    await assert.rejects(asked, { status: 410 });
  });

  it('tells a deleted file from a damaged one', async () => {
    const disk = new MemoryDisk();
    const warehouse = new DiskWarehouse(disk, '/lake');
    const place = { warehouse, catalog: FILE_CATALOG };
    const files = [
      { path: 'x.parquet', partition: 'exchange_date=2026-11-23/exchange_hour=07', sha256: '00' },
    ];
    const asked: Query = {
      kind: 'trades',
      files,
      filter: {
        instruments: [{ exchange: 'KRAKEN', symbol: 'BTCUSD' }],
        startUs: 0,
        endUs: 2 ** 53,
      },
      limit: 1,
      which: 'first',
      fields: ['price'],
      format: 'json',
    };
    assert.deepEqual(await runQuery(place, asked), { kind: 'gone' });
    await warehouse.put('x.parquet', new Uint8Array(10));
    const damaged = await runQuery(place, asked);
    assert.equal(damaged.kind, 'damaged');
  });
});
